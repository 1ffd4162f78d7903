/* A fax machine for tests: libspandsp's. It lives in ticks of 20 ms, each of which is asked for on its input and
   answered on its output, all numbers of 16 bits in the order of the machine:
     audio: 160 samples that it hears; 160 that it says
     t38:   how many messages come, and each: number, length, bytes; the same of those that it sends
   At the end of its input it says how the call went.
   usage: machine send|receive audio|t38 FILE.tif
          machine bits FILE.tif    writes the points of the first page, coded by T.4 in one dimension */
#include <stdio.h>
#include <string.h>
#include <stdint.h>
#include <stdlib.h>
#include <spandsp.h>

static int result = -1;
static uint8_t out[1 << 16];
static size_t outs;
static uint16_t sent, messages;

static void ended(t30_state_t *s, void *user, int code)
{
    (void) s;
    (void) user;
    result = code;
}

static void put(const void *p, size_t n)
{
    if (outs + n > sizeof(out))
        exit(3);
    memcpy(out + outs, p, n);
    outs += n;
}

static int says(t38_core_state_t *s, void *user, const uint8_t *buf, int len, int count)
{
    (void) s;
    (void) user;
    for (; count > 0; count--)
    {
        uint16_t n = (uint16_t) len;

        put(&sent, 2);
        put(&n, 2);
        put(buf, n);
        sent++;
        messages++;
    }
    return 0;
}

static int flushed(void)
{
    int ok = fwrite(out, 1, outs, stdout) == outs && fflush(stdout) == 0;

    outs = 0;
    return ok;
}

static int bits(const char *file)
{
    t4_tx_state_t *t4 = t4_tx_init(NULL, file, -1, -1);
    int b;

    if (t4 == NULL)
        return 2;
    t4_tx_set_tx_encoding(t4, T4_COMPRESSION_ITU_T4_1D);
    if (t4_tx_start_page(t4) != 0)
        return 2;
    while (((b = t4_tx_get_byte(t4)) & ~0xff) == 0)
        putchar(b);
    return fflush(stdout) != 0;
}

static int audio(fax_state_t *fax)
{
    int16_t frame[160];

    fax_set_transmit_on_idle(fax, 1);
    while (fread(frame, sizeof(frame[0]), 160, stdin) == 160)
    {
        int n;

        fax_rx(fax, frame, 160);
        n = fax_tx(fax, frame, 160);
        memset(frame + n, 0, (160 - n)*sizeof(frame[0]));
        put(frame, sizeof(frame));
        if (!flushed())
            return 1;
    }
    return 0;
}

static int t38(t38_terminal_state_t *fax)
{
    t38_core_state_t *core = t38_terminal_get_t38_core_state(fax);
    uint16_t come, seq, len;
    static uint8_t b[1 << 16];

    while (fread(&come, 2, 1, stdin) == 1)
    {
        for (; come > 0; come--)
        {
            if (fread(&seq, 2, 1, stdin) != 1 || fread(&len, 2, 1, stdin) != 1 || fread(b, 1, len, stdin) != len)
                return 1;
            t38_core_rx_ifp_packet(core, b, len, seq);
        }
        put("\0", 2);
        messages = 0;
        t38_terminal_send_timeout(fax, 160);
        memcpy(out, &messages, 2);
        if (!flushed())
            return 1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    int calls, status, is_t38;
    fax_state_t *fax = NULL;
    t38_terminal_state_t *terminal = NULL;
    t30_state_t *t30;
    t30_stats_t stats;

    if (argc == 3 && strcmp(argv[1], "bits") == 0)
        return bits(argv[2]);
    if (argc != 4)
        return 2;
    calls = strcmp(argv[1], "send") == 0;
    is_t38 = strcmp(argv[2], "t38") == 0;
    if (is_t38)
        terminal = t38_terminal_init(NULL, calls, says, NULL);
    else
        fax = fax_init(NULL, calls);
    if (fax == NULL && terminal == NULL)
        return 2;
    t30 = is_t38 ? t38_terminal_get_t30_state(terminal) : fax_get_t30_state(fax);
    if (calls)
        t30_set_tx_file(t30, argv[3], -1, -1);
    else
        t30_set_rx_file(t30, argv[3], -1);
    t30_set_phase_e_handler(t30, ended, NULL);
    status = is_t38 ? t38(terminal) : audio(fax);
    t30_get_transfer_statistics(t30, &stats);
    fprintf(stderr, "result %d pages %d bad_rows %d bit_rate %d\n", result, calls ? stats.pages_tx : stats.pages_rx, stats.bad_rows, stats.bit_rate);
    return status;
}
