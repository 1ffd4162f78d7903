package voice

import (
	"math"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/quality"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// sound rates what was said and heard on a leg. A line's packets are its driver's, so of it nothing is known.
func sound(party string, s media.Stats) tel.LegSound {
	if s.Codec == "" {
		return tel.LegSound{}
	}
	l := quality.Leg{
		Carrier: strings.HasPrefix(party, "trunk:"), Codec: quality.G711, In: s.In, Sent: s.Sent,
		Reported: s.Reported, OutJitter: s.RemoteJitter, RoundTrip: s.RTT, Stalled: s.Stalled, Quiet: s.Quiet,
		Echo: s.Echo, Echoes: s.Echoes,
	}
	if s.Codec == codec.G722.Name() {
		l.Codec = quality.G722
	}
	if s.Sent > 0 && s.RemoteLost > 0 {
		l.OutLoss = min(1, float64(s.RemoteLost)/float64(s.Sent))
	}
	f := l.Diagnose()
	return tel.LegSound{
		Heard: rounded(f.Heard, 100), Hears: rounded(f.Hears, 100),
		Loss: rounded(100*s.In.Loss(), 100), Bursts: s.In.Bursts, BurstLoss: rounded(100*s.In.BurstDensity, 10),
		Jitter: s.In.Jitter.Round(100 * time.Microsecond), Drift: math.Round(s.In.Drift), Concealed: s.Concealed,
		RoundTrip: s.RTT.Round(100 * time.Microsecond), FarLoss: rounded(100*l.OutLoss, 100), FarJitter: s.RemoteJitter,
		Echo: s.Echo.Delay, EchoLoss: rounded(s.Echo.Loss, 1),
		Trouble: f.Trouble, Place: f.Place,
	}
}

// rounded keeps records short: 1/parts is exact enough for people.
func rounded(v, parts float64) float64 { return math.Round(v*parts) / parts }
