package gsmsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one way in which a modem or its network fails, by name.
type Fault struct {
	Name  string
	Says  string // what happens, for people
	Takes string // what may follow the name: a word of Arguments, or empty
	Lasts bool   // it goes on until it is healed
	Cured bool   // the modem's restart heals it too

	strike func(s *Sim, argument string) error
	heal   func(s *Sim) error
	set    func(f *Faults, on bool) // where Cured
}

// What may follow the name of a fault.
const (
	TakesDuration = "duration" // in the form of time.ParseDuration
	TakesNumber   = "number"
	TakesText     = "text"
)

// ErrNoFault means that the catalogue has no fault of that name, or that the fault takes no such argument.
var ErrNoFault = errors.New("there is no such fault")

// lasting is a fault that a field of Faults stands for.
func lasting(name, says string, set func(f *Faults, on bool)) Fault {
	return Fault{
		Name: name, Says: says, Lasts: true,
		strike: func(s *Sim, _ string) error { s.SetFaults(func(f *Faults) { set(f, true) }); return nil },
		heal:   func(s *Sim) error { s.SetFaults(func(f *Faults) { set(f, false) }); return nil },
	}
}

// untilReset is one that the modem's restart cures too.
func untilReset(name, says string, set func(f *Faults, on bool)) Fault {
	f := lasting(name, says, set)
	f.Cured, f.set = true, set
	return f
}

// Catalogue lists every fault.
func Catalogue() []Fault {
	return slices.Concat(ofTheDevice(), ofThePort(), ofTheSound(), ofTheMessages(), ofTheNetwork())
}

// FaultNamed finds one; ErrNoFault.
func FaultNamed(name string) (Fault, error) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, fmt.Errorf("%w: %q", ErrNoFault, name)
	}
	return all[i], nil
}

// Check says whether the fault takes the argument; the empty one is always taken.
func (f Fault) Check(argument string) error {
	var err error
	switch {
	case argument == "":
	case f.Takes == "":
		err = errors.New("nothing may follow it")
	case f.Takes == TakesDuration:
		_, err = span(argument, 0)
	case f.Takes == TakesNumber:
		_, err = count(argument, 0)
	}
	if err != nil {
		return fmt.Errorf("%w: %s %s: %w", ErrNoFault, f.Name, argument, err)
	}
	return nil
}

// maxSpan and maxCount bound what may follow the name of a fault.
const (
	maxSpan  = time.Hour
	maxCount = 1_000_000
)

func span(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxSpan {
		return 0, fmt.Errorf("%q is no time between 0s and %v, such as 7s", text, maxSpan)
	}
	return d, nil
}

func count(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxCount {
		return 0, fmt.Errorf("%q is no number between 1 and %d", text, maxCount)
	}
	return n, nil
}

// Strike lets a fault happen. The argument may be empty; errors are ErrNoFault and those of the fault, such
// as ErrNoCall of a party that hangs up without a call.
func (s *Sim) Strike(name, argument string) error {
	f, err := FaultNamed(name)
	if err == nil {
		err = f.Check(argument)
	}
	if err != nil {
		return err
	}
	if err := f.strike(s, argument); err != nil || !f.Lasts {
		return err
	}
	return s.ask(func() error {
		if !slices.Contains(s.struck, name) {
			s.struck = append(s.struck, name)
		}
		return nil
	})
}

// Heal ends a fault that lasts.
func (s *Sim) Heal(name string) error {
	f, err := FaultNamed(name)
	if err != nil {
		return err
	}
	if !f.Lasts {
		return fmt.Errorf("%w: %q is over at once", ErrNoFault, name)
	}
	if err := s.ask(func() error {
		s.struck = slices.DeleteFunc(s.struck, func(n string) bool { return n == name })
		return nil
	}); err != nil {
		return err
	}
	return f.heal(s)
}

// Struck are the faults that last now, in the order in which they came.
func (s *Sim) Struck() (names []string) {
	_ = s.ask(func() error {
		names = slices.Clone(s.struck)
		return nil
	})
	return names
}

// HealAll ends every fault that lasts.
func (s *Sim) HealAll() error {
	var errs []error
	for _, name := range s.Struck() {
		errs = append(errs, s.Heal(name))
	}
	return errors.Join(errs...)
}

// restarted ends what the modem's restart cures.
func (s *Sim) restarted() {
	s.struck = slices.DeleteFunc(s.struck, func(name string) bool {
		f, err := FaultNamed(name)
		if err != nil || !f.Cured {
			return false
		}
		f.set(&s.faults, false)
		return true
	})
	s.faultsChanged()
}

func ofTheDevice() []Fault {
	return []Fault{
		{
			Name: "unplug", Says: "the modem is pulled out", Lasts: true,
			strike: func(s *Sim, _ string) error { return s.Unplug() }, heal: (*Sim).Plug,
		},
		{
			Name: "renumber", Says: "the modem goes and comes back as other ports, while the old ones are still open",
			strike: func(s *Sim, _ string) error { return s.Replug() },
		},
		{
			Name: "brown_out", Says: "the voltage breaks down: the modem falls off the bus in the middle of a word and comes back", Takes: TakesDuration,
			strike: func(s *Sim, a string) error {
				d, err := span(a, 4*time.Second)
				if err != nil {
					return err
				}
				return s.BrownOut(d)
			},
		},
		{
			Name: "restart", Says: "the modem's own program restarts; its ports stay, its settings go",
			strike: func(s *Sim, _ string) error { return s.Restart() },
		},
		lasting("mute", "the modem answers nothing and says nothing", func(f *Faults, on bool) { f.Mute = on }),
		untilReset("unset", "the modem takes no setting until it is restarted", func(f *Faults, on bool) { f.Unset = on }),
		lasting("errors", "the modem answers ERROR to everything", func(f *Faults, on bool) { f.Errors = on }),
		{
			Name: "sim_out", Says: "the SIM is taken out", Lasts: true,
			strike: func(s *Sim, _ string) error { return s.SIM(false) },
			heal:   func(s *Sim) error { return s.SIM(true) },
		},
	}
}

func ofThePort() []Fault {
	late := lasting("late_replies", "every answer comes late", nil)
	late.Takes = TakesDuration
	late.strike = func(s *Sim, a string) error {
		d, err := span(a, 7*time.Second)
		if err == nil {
			s.SetFaults(func(f *Faults) { f.Late = d })
		}
		return err
	}
	late.heal = func(s *Sim) error { s.SetFaults(func(f *Faults) { f.Late = 0 }); return nil }
	lost := lasting("lost_urc", "unsolicited lines that begin so are lost", nil)
	lost.Takes = TakesText
	lost.strike = func(s *Sim, a string) error {
		if a == "" {
			a = "RING"
		}
		s.SetFaults(func(f *Faults) { f.LosePrefix = a })
		return nil
	}
	lost.heal = func(s *Sim) error { s.SetFaults(func(f *Faults) { f.LosePrefix = "" }); return nil }
	return []Fault{
		late, lost,
		lasting("doubled_urc", "unsolicited lines come twice", func(f *Faults, on bool) { f.DoubledURC = on }),
		lasting("doubled_cr", "every line has a carriage return too many", func(f *Faults, on bool) { f.DoubledCR = on }),
		lasting("split_bytes", "every byte comes alone", func(f *Faults, on bool) { f.Split = on }),
		lasting("echo", "the modem repeats every command", func(f *Faults, on bool) { f.EchoStuck = on }),
		lasting("stuck_prompt", "the modem takes the next command for the text of a message", func(f *Faults, on bool) { f.StuckPrompt = on }),
		{
			Name: "flood", Says: "so many lines come that mean nothing", Takes: TakesNumber,
			strike: func(s *Sim, a string) error {
				n, err := count(a, 5000)
				for ; err == nil && n > 0; n -= 100 {
					err = s.Say(strings.Repeat("\r\n+NOISE: 1\r\n", min(n, 100)))
				}
				return err
			},
		},
		{
			Name: "garbage", Says: "so many bytes come that are no text", Takes: TakesNumber,
			strike: func(s *Sim, a string) error {
				n, err := count(a, 200)
				if err != nil {
					return err
				}
				bytes, random := make([]byte, n), rand.New(rand.NewPCG(uint64(n), 0))
				for i := range bytes {
					bytes[i] = byte(random.IntN(256))
				}
				return s.Say(string(bytes) + "\r\n")
			},
		},
	}
}

func ofTheSound() []Fault {
	return []Fault{
		untilReset("audio_stall", "the audio port takes no bytes until the modem is restarted", func(f *Faults, on bool) { f.SoundStall = on }),
		untilReset("audio_dead", "the audio cannot be switched on until the modem is restarted", func(f *Faults, on bool) { f.SoundDead = on }),
		untilReset("deaf_hangup", "the modem does not hang up until it is restarted", func(f *Faults, on bool) { f.DeafHangup = on }),
		lasting("refuse_dial", "the modem refuses to dial", func(f *Faults, on bool) { f.RefuseDial = on }),
		{
			Name: "hang_up", Says: "the other party hangs up",
			strike: func(s *Sim, _ string) error { return s.RemoteHangup() },
		},
	}
}

func ofTheMessages() []Fault {
	return []Fault{
		lasting("half_pdu", "the port loses half of each of three messages", func(f *Faults, on bool) {
			if f.HalfPDU = 0; on {
				f.HalfPDU = 3
			}
		}),
		lasting("lost_notice", "the modem does not say that messages come", func(f *Faults, on bool) {
			if f.LosePrefix = ""; on {
				f.LosePrefix = "+CMTI"
			}
		}),
		lasting("lost_answer", "the modem does not say that messages are sent", func(f *Faults, on bool) { f.LoseSent = on }),
		lasting("refused", "the network takes no messages", func(f *Faults, on bool) {
			if f.RefuseMessage = 0; on {
				f.RefuseMessage = 38 // network out of order
			}
		}),
		lasting("undeliverable", "messages find nobody", func(f *Faults, on bool) {
			if f.ReportStatus = 0; on {
				f.ReportStatus = 0x46 // validity period expired
			}
		}),
		lasting("undeletable", "the SIM deletes nothing and fills up", func(f *Faults, on bool) { f.Undeletable = on }),
		lasting("mute_service", "the network answers to no service code", func(f *Faults, on bool) { f.ServiceMute = on }),
		{
			Name: "message_flood", Says: "so many messages wait at the centre", Takes: TakesNumber,
			strike: func(s *Sim, a string) error {
				n, err := count(a, 100)
				if err != nil {
					return err
				}
				return s.Flood(n)
			},
		},
	}
}

func ofTheNetwork() []Fault {
	radio := func(name, says string, r Radio) Fault {
		return Fault{
			Name: name, Says: says, Lasts: true,
			strike: func(s *Sim, _ string) error { return s.SetRadio(r) },
			heal:   func(s *Sim) error { return s.SetRadio(FourG()) },
		}
	}
	registration := func(name, says string, state int) Fault {
		return Fault{
			Name: name, Says: says, Lasts: true,
			strike: func(s *Sim, _ string) error { return s.SetNetwork(state, 99) },
			heal:   func(s *Sim) error { return s.SetNetwork(1, 20) },
		}
	}
	return []Fault{
		radio("3g", "there is 3G alone", ThreeG()),
		radio("no_volte", "there is no telephony over 4G", FourGNoVoLTE()),
		registration("no_network", "the modem finds no network", 2),
		registration("denied", "the network refuses the SIM", 3),
	}
}
