/* A row metric in C, without a library: define luthier_description and luthier_score_row.
 *
 * Build: clang --target=wasm32 -std=c11 -O2 -ffreestanding -nostdlib -c plugin.c
 *        wasm-component-ld --wasi-adapter none --no-entry --component-type row-metric.wit plugin.o -o plugin.wasm
 * Include this header in one file only: it also defines what the component model asks of a guest.
 */
#ifndef LUTHIER_H
#define LUTHIER_H

/* UTF-8, not ended by a zero. */
struct luthier_text {
    const char *bytes;
    unsigned long length;
};

/* A number, or a short code why the row has none. */
struct luthier_score {
    double value;
    const char *error;
};

/* JSON: id, version, summary, direction, aggregate, lower, upper, config-schema; see wit/plugin.wit. */
const char *luthier_description(void);
/* One row. The host calls it with an empty row first, to see whether the configuration is taken. */
struct luthier_score luthier_score_row(struct luthier_text prediction, struct luthier_text reference,
                                       struct luthier_text config);

static inline struct luthier_score luthier_scored(double value) {
    struct luthier_score score = {value, 0};
    return score;
}
static inline struct luthier_score luthier_unscored(const char *code) {
    struct luthier_score score = {0, code};
    return score;
}

/* ---- what the component model asks for ---- */

extern unsigned char __heap_base;
static unsigned long luthier_heap = 0;

/* Everything that a call allocates is forgotten when the next call begins. */
__attribute__((export_name("cabi_realloc"))) void *luthier_realloc(void *old, unsigned long old_size,
                                                                   unsigned long align, unsigned long size) {
    if (luthier_heap == 0) luthier_heap = (unsigned long)&__heap_base;
    unsigned long start = (luthier_heap + align - 1) & ~(align - 1);
    unsigned long end = start + size;
    unsigned long pages = __builtin_wasm_memory_size(0);
    if (end < start) __builtin_trap();
    if (end > pages * 65536ul) {
        unsigned long more = (end - pages * 65536ul + 65535ul) / 65536ul;
        if (__builtin_wasm_memory_grow(0, more) == (unsigned long)-1) __builtin_trap();
    }
    for (unsigned long i = 0; i < old_size && i < size; i++)
        ((char *)start)[i] = ((char *)old)[i];
    luthier_heap = end;
    return (void *)start;
}

void *memcpy(void *to, const void *from, unsigned long n) {
    for (unsigned long i = 0; i < n; i++) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}
void *memset(void *to, int value, unsigned long n) {
    for (unsigned long i = 0; i < n; i++) ((char *)to)[i] = (char)value;
    return to;
}

static unsigned long luthier_length(const char *text) {
    unsigned long n = 0;
    while (text[n]) n++;
    return n;
}

static struct luthier_text luthier_described;
__attribute__((export_name("describe"))) struct luthier_text *luthier_describe(void) {
    luthier_described.bytes = luthier_description();
    luthier_described.length = luthier_length(luthier_described.bytes);
    return &luthier_described;
}

/* result<f64, error>: the case at 0, its payload at 8. `internal` is the fifth case of error. */
static union {
    struct { unsigned char is_error; double value; } scored;
    struct { unsigned char is_error; unsigned char pad[7]; unsigned char which; struct luthier_text text; } failed;
} luthier_result;

__attribute__((export_name("score-row"))) void *luthier_export_score_row(const char *p, unsigned long p_length,
                                                                         const char *r, unsigned long r_length,
                                                                         const char *c, unsigned long c_length) {
    struct luthier_text prediction = {p, p_length}, reference = {r, r_length}, config = {c, c_length};
    struct luthier_score score = luthier_score_row(prediction, reference, config);
    memset(&luthier_result, 0, sizeof luthier_result);
    if (score.error) {
        luthier_result.failed.is_error = 1;
        luthier_result.failed.which = 4;
        luthier_result.failed.text.bytes = score.error;
        luthier_result.failed.text.length = luthier_length(score.error);
    } else {
        luthier_result.scored.value = score.value;
    }
    luthier_heap = 0;
    return &luthier_result;
}

#endif
