package lightsim_test

import (
	"testing"

	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/lamp"
)

func TestAPressIsSentOnceAndNoneAfterTheEnd(t *testing.T) {
	b := lightsim.NewButton("desk1")
	var port lamp.Button = b
	if !b.Press() || port.ID() != "desk1" {
		t.Fatal("a press was not taken")
	}
	<-port.Presses()
	select {
	case <-port.Presses():
		t.Fatal("one press was sent twice")
	default:
	}
	taken := 0
	for range 100 { // a button that hangs
		if b.Press() {
			taken++
		}
	}
	if taken == 0 || taken == 100 {
		t.Fatalf("%d of 100 presses wait for somebody", taken)
	}
	for range 2 {
		if err := port.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if b.Press() {
		t.Fatal("a closed button was pressed")
	}
	for range port.Presses() {
		taken--
	}
	if taken != 0 {
		t.Fatalf("%d presses were lost", taken)
	}
}
