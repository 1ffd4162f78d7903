package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// mishaps are what can befall the modem's messages and its radio, by name; each lasts for a while.
var mishaps = []struct {
	name   string
	faults gsmsim.Faults
	radio  func() gsmsim.Radio
	says   string
}{
	{"half_pdu", gsmsim.Faults{HalfPDU: 3}, nil, "the port loses half of each message"},
	{"stuck_prompt", gsmsim.Faults{StuckPrompt: true}, nil, "the modem takes a command for a message"},
	{"lost_notice", gsmsim.Faults{LosePrefix: "+CMTI"}, nil, "the modem does not say that messages come"},
	{"lost_answer", gsmsim.Faults{LoseSent: true}, nil, "the modem does not say that messages are sent"},
	{"refused", gsmsim.Faults{RefuseMessage: 38}, nil, "the network takes no messages"},
	{"undeliverable", gsmsim.Faults{ReportStatus: 0x46}, nil, "messages find nobody"},
	{"undeletable", gsmsim.Faults{Undeletable: true}, nil, "the SIM deletes nothing and fills up"},
	{"mute_service", gsmsim.Faults{ServiceMute: true}, nil, "the network answers to no service code"},
	{"3g", gsmsim.Faults{}, gsmsim.ThreeG, "there is 3G alone"},
	{"no_volte", gsmsim.Faults{}, gsmsim.FourGNoVoLTE, "there is no telephony over 4G"},
}

// ParseMishaps checks "name,name"; the empty list has none, and "all" has every one.
func ParseMishaps(list string) ([]string, error) {
	var known, names []string
	for _, m := range mishaps {
		known = append(known, m.name)
	}
	if list == "all" {
		return known, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		switch {
		case name == "":
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("%q is no mishap; there are %s", name, strings.Join(known, ", "))
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

// writers are customers and the operator, who send messages to the SIM's number.
func (l *lab) writers() {
	var never chan struct{}
	for n := 0; l.pause(l.between(10*time.Second, 30*time.Second), never); n++ {
		from, text := customer(l.pick), "Buongiorno, il mio ordine è pronto?"
		switch n % 4 {
		case 1:
			text = "Buongiorno, vi scrivo perché ieri ho provato a chiamarvi e la linea era sempre occupata. " +
				"Potete richiamarmi domani mattina tra le 9 e le 11? Grazie mille e buona giornata! 😀"
		case 2:
			from, text = "TIM", fmt.Sprintf("Il tuo credito residuo e' di %d,%02d euro", l.pick(12), l.pick(100))
		case 3:
			text = "Ok, a domani"
		}
		if err := l.mobile.Deliver(from, text); err != nil {
			return
		}
		l.say("%s writes to the mobile line", from)
	}
}

// answered tells of a message of the office.
func (l *lab) answered(m gsmsim.Message) { l.say("the office writes to %s: %s", m.To, m.Text) }

// service is what the operator says to a service code.
func (l *lab) service(code string) (text string, menu bool) {
	l.say("the office asks the operator %s", code)
	return fmt.Sprintf("Credito residuo: %d,%02d euro. Scade il %s", 4+l.pick(20), l.pick(100), time.Now().AddDate(1, 0, 0).Format("02/01/2006")), false
}

// misfortune lets the mishaps strike in turn.
func (l *lab) misfortune() {
	var never chan struct{}
	for n := 0; l.pause(l.between(20*time.Second, 40*time.Second), never); n++ {
		name := l.cfg.Mishaps[n%len(l.cfg.Mishaps)]
		for _, m := range mishaps {
			if m.name == name {
				l.strike(m.says, m.faults, m.radio)
			}
		}
	}
}

func (l *lab) strike(says string, faults gsmsim.Faults, radio func() gsmsim.Radio) {
	var never chan struct{}
	l.say("mishap: %s", says)
	l.mobile.SetFaults(func(f *gsmsim.Faults) { *f = faults })
	if radio != nil {
		_ = l.mobile.SetRadio(radio()) // closed at the end of the play
	}
	l.pause(l.between(20*time.Second, 40*time.Second), never)
	l.mobile.SetFaults(func(f *gsmsim.Faults) { *f = gsmsim.Faults{} })
	if radio != nil {
		_ = l.mobile.SetRadio(gsmsim.FourG())
	}
	l.say("that is over")
}
