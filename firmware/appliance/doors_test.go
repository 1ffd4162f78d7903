package appliance

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// relayBoard has lights that say whether they are lit.
type relayBoard struct {
	simBoard
	lit chan bool
}

type relayLight struct {
	id  tel.LampID
	lit chan bool
}

func (l relayLight) ID() tel.LampID { return l.id }
func (l relayLight) Close() error   { return nil }
func (l relayLight) Set(to lamp.Level) error {
	l.lit <- to.Brightness > 0
	return nil
}

// Lights implements Board.
func (b relayBoard) Lights(all []config.Lamp) ([]lamp.Light, error) {
	var out []lamp.Light
	for _, l := range all {
		out = append(out, relayLight{l.ID, b.lit})
	}
	return out, nil
}

func TestADoorRelayClosesForItsTimeAndIsWrittenDown(t *testing.T) {
	b := start(t, shop)
	lit := make(chan bool, 16)
	d := &doors{b: &Box{opts: Options{Board: relayBoard{lit: lit}}, log: b.box.log}}
	door := config.Phone{ID: "door", Door: &config.Door{Key: "5", For: time.Millisecond, Driver: "sim"}}
	if err := d.make([]config.Phone{door}); err != nil {
		t.Fatal(err)
	}
	want := func(what string, on bool) {
		t.Helper()
		if got := <-lit; got != on {
			t.Fatalf("%s: the contact is closed: %v", what, got)
		}
	}
	want("at the start", false)
	d.open("door")
	want("opened", true)
	want("after its time", false)
	d.open("window")
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	want("at the end", false)

	b.box.publish(tel.DoorOpened{Door: "door", By: "phone:201", Call: "c1", At: time.Now()})
	found := 0
	if err := b.box.history.Read(0, func(r journal.Record) error {
		if r.Kind == "door_opened" {
			found++
		}
		return nil
	}); err != nil || found != 1 {
		t.Errorf("%d records of the opening, %v", found, err)
	}
}
