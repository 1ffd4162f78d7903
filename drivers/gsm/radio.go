package gsm

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/firmware/line"
)

var _ line.Radio = (*Modem)(nil)

const (
	sampleEvery = time.Minute
	maxSamples  = int(24 * time.Hour / sampleEvery)
)

// radio is what the modem says of its network, kept for who asks: the last word, and a day of samples.
type radio struct {
	mu      sync.Mutex // guards what follows
	now     line.Signal
	samples []line.SignalSample // oldest first
}

// Signal implements line.Radio.
func (m *Modem) Signal() line.Signal {
	m.radio.mu.Lock()
	defer m.radio.mu.Unlock()
	return m.radio.now
}

// SignalHistory implements line.Radio.
func (m *Modem) SignalHistory() []line.SignalSample {
	m.radio.mu.Lock()
	defer m.radio.mu.Unlock()
	return slices.Clone(m.radio.samples)
}

// note keeps the modem's word; a sample is taken when the one before is old enough.
func (r *radio) note(s line.Signal, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = s
	n := len(r.samples)
	if s.DBm == 0 || n > 0 && at.Sub(r.samples[n-1].At) < sampleEvery {
		return
	}
	r.samples = append(r.samples, line.SignalSample{At: at, DBm: s.DBm, Technology: s.Technology})
	old := 0
	for old < len(r.samples) && (at.Sub(r.samples[old].At) > 24*time.Hour || len(r.samples)-old > maxSamples) {
		old++
	}
	r.samples = slices.Delete(r.samples, 0, old)
}

// lost forgets what holds no more; the history stays.
func (r *radio) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = line.Signal{}
}

// learnRadio takes answers and unsolicited lines about technology and band; ok is false for others.
func (n *network) learnRadio(l string) (ok bool) {
	f := at.Fields(l)
	switch {
	case strings.HasPrefix(l, "+CNSMOD:"): // SIMCom: [mode,]system
		if t, known := systems[field(f, len(f)-1)]; known {
			n.technology = t
		}
	case strings.HasPrefix(l, "+CPSI:"): // SIMCom: system, mode, MCC-MNC ...
		n.learnSystem(f)
	case strings.HasPrefix(l, "+QNWINFO:"): // Quectel: technology, MCC and MNC, band, channel
		n.technology, n.code, n.band = technologyNamed(field(f, 0)), field(f, 1), field(f, 2)
	case strings.HasPrefix(l, "+CIREG:"): // [mode,]registered[,extent] (TS 27.007 section 8.71)
		n.learnIMS(f)
	default:
		return false
	}
	return true
}

// systems are SIMCom's numbers of +CNSMOD.
var systems = map[string]line.Technology{
	"0": "", "1": line.GSM, "2": line.GSM, "3": line.GSM, "4": line.UMTS, "5": line.UMTS, "6": line.UMTS, "7": line.UMTS, "8": line.LTE,
}

// accessTechnology are the numbers of +COPS (TS 27.007 section 7.3).
func accessTechnology(act string) line.Technology {
	switch act {
	case "0", "1", "3":
		return line.GSM
	case "2", "4", "5", "6":
		return line.UMTS
	case "7", "9":
		return line.LTE
	default:
		return ""
	}
}

func technologyNamed(name string) line.Technology {
	name = strings.ToUpper(name)
	for _, t := range []struct {
		words string
		is    line.Technology
	}{{"LTE", line.LTE}, {"WCDMA", line.UMTS}, {"HSPA", line.UMTS}, {"HSDPA", line.UMTS}, {"HSUPA", line.UMTS}, {"GSM", line.GSM}, {"EDGE", line.GSM}, {"GPRS", line.GSM}} {
		if strings.Contains(name, t.words) {
			return t.is
		}
	}
	return ""
}

// learnSystem reads +CPSI, whose band is the seventh value on LTE and stands among others elsewhere.
func (n *network) learnSystem(f []string) {
	n.technology, n.band = technologyNamed(field(f, 0)), ""
	mcc, mnc, _ := strings.Cut(field(f, 2), "-")
	n.code = mcc + mnc
	for _, v := range f[min(3, len(f)):] {
		if i := strings.IndexFunc(v, func(r rune) bool { return r >= 'A' && r <= 'Z' }); i >= 0 && !strings.HasPrefix(v, "0x") {
			n.band = strings.TrimSpace(v[i:])
			return
		}
	}
}

// learnIMS reads whether the network's telephony over LTE has us, and whether for calls.
func (n *network) learnIMS(f []string) {
	i := 0
	if len(f) > 1 {
		i = 1
	}
	switch field(f, i) {
	case "0":
		n.volte = line.NotReady
	case "1":
		n.volte = line.Ready
		if extent, err := strconv.ParseUint(field(f, 2), 16, 8); len(f) > 2 && err == nil && extent&1 == 0 {
			n.volte = line.NotReady // registered for messages alone
		}
	}
}

// signal is the network in the port's words.
func (n *network) signal() line.Signal {
	s := line.Signal{
		Operator: n.operator, Network: n.code, Technology: n.technology, Band: n.band, DBm: n.dBm, VoLTE: n.volte,
		Roaming: n.cs == 5 || n.eps == 5,
	}
	if s.Technology != line.LTE {
		s.VoLTE = line.NotKnown // only LTE has it
	}
	return s
}
