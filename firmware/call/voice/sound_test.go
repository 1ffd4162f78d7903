package voice

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/quality"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTheSoundOfALegIsNotedInTheTermsOfPeople(t *testing.T) {
	for name, c := range map[string]struct {
		party string
		stats media.Stats
		want  tel.LegSound
	}{
		"a phone that is heard well": {
			"phone:201",
			media.Stats{Codec: "PCMA", Sent: 3000, In: quality.Way{Received: 3000, Jitter: 3141592}, RTT: 20 * time.Millisecond},
			tel.LegSound{Heard: 4.4, Jitter: 3100 * time.Microsecond, RoundTrip: 20 * time.Millisecond},
		},
		"a carrier that loses": {
			"trunk:tim",
			media.Stats{Codec: "PCMA", Sent: 3000, In: quality.Way{Received: 2850, Lost: 150, BurstR: 1, Bursts: 2, BurstDensity: 0.25}},
			tel.LegSound{Heard: 3.85, Loss: 5, Bursts: 2, BurstLoss: 25, Trouble: tel.SoundLoss, Place: tel.SoundAtCarrier},
		},
		"a phone that says how much it misses": {
			"phone:201",
			media.Stats{Codec: "PCMU", Sent: 1000, In: quality.Way{Received: 1000}, Reported: true, RemoteLost: 100, RemoteJitter: 5 * time.Millisecond},
			tel.LegSound{Heard: 4.4, Hears: 3.33, FarLoss: 10, FarJitter: 5 * time.Millisecond, Trouble: tel.SoundLoss, Place: tel.SoundAtPhone},
		},
		"a phone with doubled reports": {
			"phone:201",
			media.Stats{Codec: "PCMU", Sent: 1000, In: quality.Way{Received: 1000}, Reported: true, RemoteLost: -3},
			tel.LegSound{Heard: 4.4, Hears: 4.4},
		},
		"a wideband phone that loses, which bears less": {
			"phone:201",
			media.Stats{Codec: "G722", Sent: 1000, In: quality.Way{Received: 950, Lost: 50, BurstR: 1}},
			tel.LegSound{Heard: 2.1, Loss: 5, Trouble: tel.SoundLoss, Place: tel.SoundAtPhone},
		},
		"a line, of whose network nothing is known": {"line:gsm0", media.Stats{Sent: 3000}, tel.LegSound{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := sound(c.party, c.stats)
			near := func(a, b float64) bool { return a-b < 0.06 && b-a < 0.06 && (a == 0) == (b == 0) }
			if !near(got.Heard, c.want.Heard) || !near(got.Hears, c.want.Hears) {
				t.Errorf("heard %v, hears %v, want %v and %v", got.Heard, got.Hears, c.want.Heard, c.want.Hears)
			}
			got.Heard, got.Hears = c.want.Heard, c.want.Hears
			if got != c.want {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}
