#include "data/words.h"

#include <string.h>
#include <utf8proc.h>

#include "base/hash.h"
#include "base/memory.h"
#include "data/stopwords.h"

void bmf_words_clear(bmf_words *words)
{
    bmf_strings_clear(&words->term);
    bmf_free(words->always);
    bmf_free(words->slot);
    bmf_free(words->token);
    bmf_lower_clear(&words->lower);
    bmf_free(words->utf8);
    *words = (bmf_words){0};
}

#define BIT(category) (1u << UTF8PROC_CATEGORY_##category)
#define WORD (BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO) | BIT(ND) | BIT(NL) | BIT(NO))

static bool is_word(int32_t point)
{
    return point == '_' || (WORD >> utf8proc_category(point) & 1);
}

/* Slot of the term, or the free one where it belongs. */
static int64_t find_slot(const bmf_words *words, const char *text, int64_t length)
{
    int64_t at = (int64_t)(bmf_hash_text(text, length) & (uint64_t)(words->slots - 1));
    for (; words->slot[at] >= 0; at = (at + 1) & (words->slots - 1)) {
        int64_t i = words->slot[at];
        if (bmf_strings_length(&words->term, i) == length &&
            !memcmp(bmf_strings_get(&words->term, i), text, (size_t)length))
            break;
    }
    return at;
}

static int grow_slots(bmf_words *words, bmf_error *err)
{
    int64_t slots = words->slots ? 2 * words->slots : 4096;
    int32_t *slot = bmf_alloc(slots, sizeof *slot, "hash table of words", err);
    if (!slot)
        return BMF_ERR_MEMORY;
    bmf_free(words->slot);
    words->slot = slot;
    words->slots = slots;
    memset(slot, 0xff, (size_t)slots * sizeof *slot);
    for (int64_t i = 0; i < words->term.count; i++)
        slot[find_slot(words, bmf_strings_get(&words->term, i), bmf_strings_length(&words->term, i))] = (int32_t)i;
    return BMF_OK;
}

/* A term that was not there: the free slot is its place. */
static int new_term(bmf_words *words, int64_t slot, const char *term, int64_t length, bmf_error *err)
{
    int status = bmf_grow((void **)&words->always, &words->always_capacity, words->term.count + 1,
                          sizeof *words->always, "words", err);
    if (status == BMF_OK)
        status = bmf_strings_add(&words->term, term, length, err);
    if (status != BMF_OK)
        return status;
    words->slot[slot] = (int32_t)(words->term.count - 1);
    words->always[words->term.count - 1] = false;
    return BMF_OK;
}

int bmf_words_add_term(bmf_words *words, const char *term, int64_t length, bool always, bmf_error *err)
{
    if (words->term.count >= INT32_MAX - 1)
        return bmf_fail(err, BMF_ERR_INPUT, "content: more than %d distinct words", INT32_MAX - 1);
    int status =
        bmf_grow((void **)&words->token, &words->token_capacity, words->tokens + 1, sizeof *words->token, "words", err);
    if (status == BMF_OK && 2 * (words->term.count + 1) >= words->slots)
        status = grow_slots(words, err);
    if (status != BMF_OK)
        return status;
    int64_t at = find_slot(words, term, length);
    if (words->slot[at] < 0)
        status = new_term(words, at, term, length, err);
    if (status != BMF_OK)
        return status;
    words->always[words->slot[at]] |= always;
    words->token[words->tokens++] = words->slot[at];
    return BMF_OK;
}

int bmf_words_add_text(bmf_words *words, const char *prefix, const char *text, int64_t length, bmf_error *err)
{
    const bmf_lower *lower = &words->lower;
    int64_t before = (int64_t)strlen(prefix), first = 0;
    int status = bmf_lower_case(&words->lower, text, length, err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&words->utf8, &words->utf8_capacity, before + 4 * lower->count + 4, 1, "words", err);
    if (status == BMF_OK)
        memcpy(words->utf8, prefix, (size_t)before);
    for (int64_t i = 0; status == BMF_OK && i <= lower->count; i++) {
        if (i < lower->count && is_word(lower->point[i]))
            continue;
        if (i - first >= 2) {
            int64_t size = before + bmf_lower_encode(lower, first, i, words->utf8 + before);
            words->utf8[size] = '\0';
            if (!bmf_stopword_is(words->utf8 + before))
                status = bmf_words_add_term(words, words->utf8, size, false, err);
        }
        first = i + 1;
    }
    return status;
}
