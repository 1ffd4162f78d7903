package appliance

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/media/quality"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// soundPlaces are where bad sound has its cause; each is a condition of its own, because each is mended
// by another person.
var soundPlaces = [...]tel.SoundPlace{tel.SoundAtPhone, tel.SoundAtCarrier, tel.SoundAtBox}

func soundCondition(p tel.SoundPlace) string { return "sound_" + string(p) }

func soundConditions() (all []health.Spec) {
	for _, p := range soundPlaces {
		all = append(all, health.Spec{Name: soundCondition(p), Severity: health.Warn})
	}
	return all
}

// soundWatch remembers which causes of bad sound come again and again.
type soundWatch struct {
	mu       sync.Mutex // held while reporting, so that the last report is of the last call
	repeated quality.Repeated
}

// listened takes a finished call; who has heard badly again and again is told by name.
func (b *Box) listened(c tel.CallEnded) {
	b.listener.mu.Lock()
	defer b.listener.mu.Unlock()
	for _, l := range c.Media {
		if s := l.Sound; s.Trouble != tel.SoundFine {
			b.log.Info("sound of a call", "call", c.Call, "party", l.Party, "trouble", s.Trouble, "place", s.Place, "heard", s.Heard, "hears", s.Hears,
				"loss_percent", s.Loss, "jitter", s.Jitter, "far_loss_percent", s.FarLoss, "drift_ppm", s.Drift)
		}
	}
	standing, changed := b.listener.repeated.Ended(c.Media, time.Now())
	if !changed {
		return
	}
	names := map[tel.SoundPlace][]string{}
	for _, s := range standing {
		b.log.Warn("bad sound again and again", "place", s.Place, "party", s.Party, "trouble", s.Trouble, "calls", s.Bad)
		names[s.Place] = append(names[s.Place], partyLabel(&b.numbering.Load().cfg, s.Party))
	}
	for _, p := range soundPlaces {
		b.report(soundCondition(p), len(names[p]) == 0, strings.Join(names[p], ", "))
	}
}

// partyLabel is what people call a phone or a carrier.
func partyLabel(c *config.Config, party string) string {
	_, id, _ := strings.Cut(party, ":")
	for i := range c.Trunks {
		if t := &c.Trunks[i]; party == "trunk:"+string(t.ID) {
			return cmp.Or(t.Name, id)
		}
	}
	return id
}
