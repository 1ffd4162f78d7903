package gate

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTheUpdaterAsksForATrialKeepsItAndLeavesIt(t *testing.T) {
	want := Slots{
		Running: 3, Chosen: 2, Trying: true, Model: "pi4", EEPROM: "2024-01-15", Active: "/run/otad/active", Modified: true, Left: 9 * time.Minute,
		Last: Trial{Version: "1.4.2", Slot: 3, Asked: time.Unix(1793534400, 0).UTC(), Outcome: "asked"}, Bundles: []string{"/media/stick/pronto/a.update"},
	}
	var said []string
	c, _ := serve(t, us(Updates{
		Slots: func(context.Context) (Slots, error) { return want, nil },
		Try: func(_ context.Context, v, promise string) error {
			said = append(said, "try "+v+" by "+promise)
			if v == "9" {
				return &Refused{CodeSlot, "the other slot has 1.4.2"}
			}
			return nil
		},
		Keep: func(context.Context) error {
			said = append(said, "keep")
			return errors.New("the card answers nothing")
		},
		Back: func(_ context.Context, why, words string) error {
			said = append(said, "back "+why+": "+words)
			return nil
		},
		Refuse: func(context.Context) error { said = append(said, "refuse"); return nil },
	}))
	if got, err := c.Slots(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := c.TrySlot(t.Context(), "1.4.2", "token"); err != nil {
		t.Error(err)
	}
	if err := c.TrySlot(t.Context(), "9", ""); !is(err, CodeSlot) {
		t.Error(err)
	}
	if err := c.KeepSlot(t.Context()); !is(err, CodeFailed) {
		t.Error(err)
	}
	if err := c.LeaveSlot(t.Context(), "unfit", "no tone was heard"); err != nil {
		t.Error(err)
	}
	if err := c.RefuseUpdate(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(said, ", "); got != "try 1.4.2 by token, try 9 by , keep, back unfit: no tone was heard, refuse" {
		t.Error(got)
	}
}

func TestWhatStandsBehindTheOtherDoorIsNotThere(t *testing.T) {
	exchange, _ := serve(t, us(Room{Network: func() Network { return Network{} }}))
	if err := exchange.KeepSlot(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the exchange keeps a slot: %v", err)
	}
	updater, _ := serve(t, us(Updates{Slots: func(context.Context) (Slots, error) { return Slots{}, nil }}))
	if err := updater.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the updater restarts the box as the exchange does: %v", err)
	}
}

func FuzzAnAnswerAboutSlotsIsAValueOrAnError(f *testing.F) {
	f.Add(200, []byte(`{"running":2,"chosen":2,"last":{"outcome":"kept"}}`))
	f.Add(409, []byte(`{"code":"slot","text":"x"}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		var s Slots
		if err := decode(status, text, &s); err == nil && status != 200 {
			t.Error("a refusal was taken for an answer")
		}
	})
}
