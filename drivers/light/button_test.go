package light

import (
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/lamp"
)

func TestAPressIsSentOnceAndNoneAfterTheEnd(t *testing.T) {
	b := NewButton("desk1")
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

func TestAButtonIsPressedByItsLineWithEitherPolarity(t *testing.T) {
	for _, low := range []bool{true, false} {
		chips := pi4()
		b := chips[0].(*board)
		all, err := OpenButtons([]ButtonPin{{"desk1", Pin{Chip: "pinctrl-bcm2711", Name: "GPIO27", ActiveLow: low}}}, chips)
		if err != nil {
			t.Fatal(err)
		}
		if b.user[27] != "pronto button desk1" || all[0].ID() != "desk1" {
			t.Errorf("line 27 is that of %q", b.user[27])
		}
		b.edge(27, low) // let go
		b.edge(27, !low)
		b.edge(27, low)
		if n := len(all[0].Presses()); n != 1 {
			t.Errorf("active low %v: %d presses of one", low, n)
		}
		if err := all[0].Close(); err != nil {
			t.Fatal(err)
		}
		if b.user[27] != "" {
			t.Error("the line is still taken")
		}
	}
}

func TestFaultsOfButtonsAreToldTogetherAndReleaseTheLines(t *testing.T) {
	chips := pi4()
	_, err := OpenButtons([]ButtonPin{
		{"a", Pin{Chip: "pinctrl-bcm2711", Name: "GPIO5"}},
		{"b", Pin{Chip: "pinctrl-rp1", Name: "GPIO6"}},
		{"c", Pin{Chip: "pinctrl-bcm2711", Name: "GPIO5"}},
	}, chips)
	if err == nil || !strings.Contains(err.Error(), `button "b": no GPIO chip with label "pinctrl-rp1"`) || !strings.Contains(err.Error(), `button "c"`) {
		t.Errorf("%v", err)
	}
	if user := chips[0].(*board).user[5]; user != "" {
		t.Errorf("line 5 is still that of %q", user)
	}
}
