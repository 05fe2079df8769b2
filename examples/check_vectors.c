/* Hold a shared library's LSTM against test vectors, with no Python: every output and gradient within what is allowed.
 *
 *   lstm-spec vectors golden
 *   cc -O2 -shared -fPIC lstm.c -lm -o liblstm.so
 *   cc -O2 -I golden check_vectors.c ./liblstm.so -lm -o check_vectors
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "vectors.h"

typedef const double *Given;
typedef double *Made;

void lstm_forward(int64_t T, int64_t B, int64_t n, int64_t m, Given W_f, Given W_i, Given W_c, Given W_o, Given b_f,
                  Given b_i, Given b_c, Given b_o, Given x, Given h0, Given c0, Made y, Made h, Made c);
void lstm_backward(int64_t T, int64_t B, int64_t n, int64_t m, Given W_f, Given W_i, Given W_c, Given W_o, Given b_f,
                   Given b_i, Given b_c, Given b_o, Given x, Given h0, Given c0, Given dy, Given dh, Given dc,
                   Made dW_f, Made dW_i, Made dW_c, Made dW_o, Made db_f, Made db_i, Made db_c, Made db_o, Made dx,
                   Made dh0, Made dc0);

static int failures;

static Made made(int64_t count)
{
    Made array = calloc((size_t)count, sizeof(double));
    if (!array) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    return array;
}

static void check(const char *id, const char *name, Made got, Given expected, Given allowed, int64_t count)
{
    for (int64_t k = 0; k < count; k++)
        /* Written so that NaN fails. */
        if (!(fabs(got[k] - expected[k]) <= allowed[k])) {
            printf("%s: %s[%lld] is %.17g, expected %.17g, allowed error %.2g\n", id, name, (long long)k, got[k],
                   expected[k], allowed[k]);
            failures++;
            break;
        }
    free(got);
}

#define CHECK(name, count) check(v->id, #name, name, v->name, v->name##_allowed, count)
#define PARAMETERS v->W_f, v->W_i, v->W_c, v->W_o, v->b_f, v->b_i, v->b_c, v->b_o

int main(void)
{
    int checked = 0;
    for (int k = 0; k < LSTM_SPEC_VECTORS; k++) {
        const lstm_spec_vector *v = &lstm_spec_vectors[k];
        if (v->lengths)
            continue;
        int64_t T = v->steps, B = v->rows, n = v->size_n, m = v->size_m, weights = m * (n + m);
        Made y = made(T * B * m), h = made(B * m), c = made(B * m);
        lstm_forward(T, B, n, m, PARAMETERS, v->x, v->h0, v->c0, y, h, c);
        CHECK(y, T * B * m);
        CHECK(h, B * m);
        CHECK(c, B * m);
        Made dW_f = made(weights), dW_i = made(weights), dW_c = made(weights), dW_o = made(weights);
        Made db_f = made(m), db_i = made(m), db_c = made(m), db_o = made(m);
        Made dx = made(T * B * n), dh0 = made(B * m), dc0 = made(B * m);
        lstm_backward(T, B, n, m, PARAMETERS, v->x, v->h0, v->c0, v->dy, v->dh, v->dc, dW_f, dW_i, dW_c, dW_o, db_f,
                      db_i, db_c, db_o, dx, dh0, dc0);
        CHECK(dW_f, weights);
        CHECK(dW_i, weights);
        CHECK(dW_c, weights);
        CHECK(dW_o, weights);
        CHECK(db_f, m);
        CHECK(db_i, m);
        CHECK(db_c, m);
        CHECK(db_o, m);
        CHECK(dx, T * B * n);
        CHECK(dh0, B * m);
        CHECK(dc0, B * m);
        checked++;
    }
    printf("%d of %d vectors checked, %d outputs wrong\n", checked, LSTM_SPEC_VECTORS, failures);
    return failures > 0;
}
