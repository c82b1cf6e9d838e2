/* Answers to the names that TensorRT's Python bindings import, by calling TensorRT for RTX, whose builder and ONNX
 * parser also work where there is no GPU. Each call passes that library's own version in place of the one that the
 * bindings were made for. Compiled three times, as CORE, PARSER and PLUGINS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CORE_LIBRARY "libtensorrt_rtx.so.1"
#define PARSER_LIBRARY "libtensorrt_onnxparser_rtx.so.1"

/* The libraries are in the process already: loaded by path, found here by name. */
__attribute__((unused)) static void *symbol(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_NOW);
    void *found = handle ? dlsym(handle, name) : NULL;
    if (!found) {
        fprintf(stderr, "tensorrt_cpu: %s\n", dlerror());
        abort();
    }
    return found;
}

#define CALL(library, type, name, ...) ((type)symbol(library, name))(__VA_ARGS__)
typedef int32_t (*Version)(void);
typedef void *(*Create)(void *, int32_t);
typedef void *(*CreateFor)(void *, void *, int32_t);

#if defined(CORE)
static int32_t version(void) { return CALL(CORE_LIBRARY, Version, "getInferLibVersion"); }

void *createInferBuilder_INTERNAL(void *logger, int32_t asked) {
    (void)asked;
    return CALL(CORE_LIBRARY, Create, "createInferBuilder_INTERNAL", logger, version());
}

void *createInferRuntime_INTERNAL(void *logger, int32_t asked) {
    (void)asked;
    return CALL(CORE_LIBRARY, Create, "createInferRuntime_INTERNAL", logger, version());
}

void *createInferRefitter_INTERNAL(void *engine, void *logger, int32_t asked) {
    (void)asked;
    return CALL(CORE_LIBRARY, CreateFor, "createInferRefitter_INTERNAL", engine, logger, version());
}

void *getPluginRegistry(void) { return CALL(CORE_LIBRARY, void *(*)(void), "getPluginRegistry"); }

void *getBuilderPluginRegistry(int32_t capability) {
    return CALL(CORE_LIBRARY, void *(*)(int32_t), "getBuilderPluginRegistry", capability);
}
#elif defined(PARSER)
static int32_t version(void) { return CALL(CORE_LIBRARY, Version, "getInferLibVersion"); }

void *createNvOnnxParser_INTERNAL(void *network, void *logger, int32_t asked) {
    (void)asked;
    return CALL(PARSER_LIBRARY, CreateFor, "createNvOnnxParser_INTERNAL", network, logger, version());
}

void *createNvOnnxParserRefitter_INTERNAL(void *refitter, void *logger, int32_t asked) {
    (void)asked;
    return CALL(PARSER_LIBRARY, CreateFor, "createNvOnnxParserRefitter_INTERNAL", refitter, logger, version());
}

int32_t getNvOnnxParserVersion(void) { return CALL(PARSER_LIBRARY, Version, "getNvOnnxParserVersion"); }
#elif defined(PLUGINS)
/* There are none. */
int initLibNvInferPlugins(void *logger, const char *name_space) {
    (void)logger;
    (void)name_space;
    return 1;
}
#endif
