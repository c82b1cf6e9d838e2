"""The paper's tables and its figure 7, measured again."""
