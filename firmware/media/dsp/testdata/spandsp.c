/* libspandsp as a judge of this package: what it sends we must understand, what we send it must, and its
   echo canceller stands beside ours. Sound is signed 16-bit at 8,000 Hz, of this machine's byte order.
   usage: spandsp send  class|clip|dtmf HEX   a caller id message (without checksum) as sound
          spandsp hear  class|clip|dtmf       sound -> each message in hex
          spandsp tones HZ ON OFF CYCLES      sound -> "tone" when the cadence (ms) has come so often
          spandsp echo  TAPS                  frames of 160 sent, then 160 received -> 160 without echo */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <spandsp.h>

static int standard(const char *name)
{
    if (strcmp(name, "class") == 0)
        return ADSI_STANDARD_CLASS;
    if (strcmp(name, "clip") == 0)
        return ADSI_STANDARD_CLIP;
    return ADSI_STANDARD_CLIP_DTMF;
}

static void message(void *user, const uint8_t *msg, int len)
{
    int i;

    (void) user;
    for (i = 0; i < len; i++)
        printf("%02x", msg[i]);
    printf("\n");
}

static int heard;

static void tone(void *user, int code, int level, int delay)
{
    (void) user;
    (void) level;
    (void) delay;
    if (code >= 0)
        heard = 1;
}

static int send_id(const char *how, const char *hex)
{
    uint8_t msg[256];
    int16_t pcm[160];
    int n = (int) strlen(hex)/2;
    int i;
    unsigned v;
    adsi_tx_state_t *tx = adsi_tx_init(NULL, standard(how));

    for (i = 0; i < n; i++)
    {
        sscanf(hex + 2*i, "%2x", &v);
        msg[i] = (uint8_t) v;
    }
    if (adsi_tx_put_message(tx, msg, n) != n)
        return 1;
    for (i = 0; i < 150; i++)
    {
        int got = adsi_tx(tx, pcm, 160);

        memset(pcm + got, 0, (160 - got)*sizeof(pcm[0]));
        fwrite(pcm, sizeof(pcm[0]), 160, stdout);
    }
    return 0;
}

static int hear_id(const char *how)
{
    int16_t pcm[160];
    adsi_rx_state_t *rx = adsi_rx_init(NULL, standard(how), message, NULL);

    while (fread(pcm, sizeof(pcm[0]), 160, stdin) == 160)
        adsi_rx(rx, pcm, 160);
    return 0;
}

static int tones(char *argv[])
{
    int16_t pcm[160];
    int i;
    int on = atoi(argv[1]);
    int off = atoi(argv[2]);
    super_tone_rx_descriptor_t *d = super_tone_rx_make_descriptor(NULL);
    int id = super_tone_rx_add_tone(d);
    super_tone_rx_state_t *rx;

    for (i = 0; i < atoi(argv[3]); i++)
    {
        super_tone_rx_add_element(d, id, atoi(argv[0]), 0, on*85/100, on*115/100);
        super_tone_rx_add_element(d, id, 0, 0, off*85/100, off*115/100);
    }
    rx = super_tone_rx_init(NULL, d, tone, NULL);
    while (fread(pcm, sizeof(pcm[0]), 160, stdin) == 160)
        super_tone_rx(rx, pcm, 160);
    if (heard)
        printf("tone\n");
    return 0;
}

static int echo(int taps)
{
    int16_t sent[160], received[160];
    int i;
    FILE *out = fdopen(dup(1), "wb"); /* the library writes what it thinks to stdout */
    echo_can_state_t *ec;

    if (out == NULL || freopen("/dev/null", "w", stdout) == NULL)
        return 1;
    if ((ec = echo_can_init(taps, ECHO_CAN_USE_ADAPTION)) == NULL)
        return 1;
    while (fread(sent, sizeof(sent[0]), 160, stdin) == 160 && fread(received, sizeof(received[0]), 160, stdin) == 160)
    {
        for (i = 0; i < 160; i++)
            received[i] = echo_can_update(ec, sent[i], received[i]);
        fwrite(received, sizeof(received[0]), 160, out);
    }
    return fclose(out);
}

int main(int argc, char *argv[])
{
    if (argc == 4 && strcmp(argv[1], "send") == 0)
        return send_id(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "hear") == 0)
        return hear_id(argv[2]);
    if (argc == 6 && strcmp(argv[1], "tones") == 0)
        return tones(argv + 2);
    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        return echo(atoi(argv[2]));
    return 2;
}
