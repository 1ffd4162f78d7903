package call

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestACallWithAMachineIsShownAndRecordedAsOne(t *testing.T) {
	for name, heard := range map[string][]tel.Machine{
		"an answering tone, then the preamble of a fax": {tel.MachineModem, tel.MachineFax},
		"a fax that has an answering tone too":          {tel.MachineFax, tel.MachineModem},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := Next(incoming(), Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"201"}}}, noon)
			s, _ = Next(s, Dialed{Key: "direct", Legs: legs("x")}, noon)
			s, _ = Next(s, LegEvent{Leg: "x", Kind: LegAnswered}, noon)
			if s.changed().Machine != "" {
				t.Error("a person is a machine")
			}
			for i, m := range heard {
				var out []Effect
				s, out = Next(s, LegEvent{Leg: []tel.LegID{"x", "caller"}[i], Kind: LegMachine, Machine: m}, noon)
				if len(out) > 0 {
					t.Errorf("the call does something: %s", brief(out))
				}
			}
			if got := s.changed().Machine; got != tel.MachineFax {
				t.Errorf("observers see %q", got)
			}
			_, out := Next(s, LegEvent{Leg: "caller", Kind: LegEnded}, noon)
			for _, e := range out {
				if end, ok := e.(DoEnd); ok {
					if end.Record.Machine != tel.MachineFax {
						t.Errorf("recorded as %q", end.Record.Machine)
					}
					return
				}
			}
			t.Error("the call does not end")
		})
	}
}

func TestATellingOfALegThatHasLeftIsNoMachine(t *testing.T) {
	s, _ := Next(incoming(), LegEvent{Leg: "nobody", Kind: LegMachine, Machine: tel.MachineFax}, noon)
	if s.changed().Machine != "" {
		t.Error("a stranger's tone counts")
	}
}
