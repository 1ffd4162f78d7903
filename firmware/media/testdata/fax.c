/* A fax machine for tests: libspandsp's, fed with frames of 20 ms on its input, answering each with one
   on its output. At the end of its input it says how the call went.
   usage: fax send|receive FILE.tif */
#include <stdio.h>
#include <string.h>
#include <stdint.h>
#include <spandsp.h>

static int result = -1;

static void ended(t30_state_t *s, void *user, int code)
{
    (void) s;
    (void) user;
    result = code;
}

int main(int argc, char *argv[])
{
    int16_t in[160], out[160];
    int calls = argc == 3 && strcmp(argv[1], "send") == 0;
    fax_state_t *fax = fax_init(NULL, calls);
    t30_state_t *t30;
    t30_stats_t stats;

    if (argc != 3 || fax == NULL)
        return 2;
    t30 = fax_get_t30_state(fax);
    if (calls)
        t30_set_tx_file(t30, argv[2], -1, -1);
    else
        t30_set_rx_file(t30, argv[2], -1);
    t30_set_phase_e_handler(t30, ended, NULL);
    fax_set_transmit_on_idle(fax, 1);
    while (fread(in, sizeof(in[0]), 160, stdin) == 160)
    {
        int n;

        fax_rx(fax, in, 160);
        n = fax_tx(fax, out, 160);
        memset(out + n, 0, (160 - n)*sizeof(out[0]));
        if (fwrite(out, sizeof(out[0]), 160, stdout) != 160 || fflush(stdout) != 0)
            return 1;
    }
    t30_get_transfer_statistics(t30, &stats);
    fprintf(stderr, "result %d pages %d bad_rows %d bit_rate %d\n", result, calls ? stats.pages_tx : stats.pages_rx, stats.bad_rows, stats.bit_rate);
    return 0;
}
