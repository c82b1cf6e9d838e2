// The token that lets this page in: from the link's fragment, which browsers do not send, or from a person.

/** Take the token out of the address. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  keepToken(given);
  history.replaceState(null, "", location.pathname);
}

export function keepToken(token) {
  sessionStorage.setItem("token", token);
}

export function keptToken() {
  return sessionStorage.getItem("token");
}

/** Ask in the form; the token that was kept, if any, was refused. */
export function askForToken(at) {
  at("wrong").hidden = !keptToken();
  at("wrong").textContent = at("token").value ? "That token is wrong." : "The token that this page had is no longer valid.";
  sessionStorage.removeItem("token");
  at("token").value = "";
  at("main").hidden = true;
  at("ask").hidden = false;
  at("token").focus();
}
