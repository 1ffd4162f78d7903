//go:build guest

package inside

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/light"
)

// desks is how many people have a lamp and a button in the office of the test.
const desks = 8

// deskOffice has a lamp on line n and a button for work on line 8 + n for each of them.
func deskOffice() string {
	agents, lamps, buttons := []string{}, []string{}, []string{}
	for n := range desks {
		agents = append(agents, fmt.Sprintf("  - {id: a%d, extension: \"20%d\"}\n", n, n))
		lamps = append(lamps, fmt.Sprintf("  - {id: l%d, driver: gpio, chip: pinctrl-rp1, line: GPIO%d, shows: \"agent:a%d\"}\n", n, n, n))
		buttons = append(buttons, fmt.Sprintf("  - {id: b%d, of: \"agent:a%d\", use: ready, chip: pinctrl-rp1, line: GPIO%d}\n", n, n, desks+n))
	}
	return `version: 1
sip: {listen: "127.0.0.1:5060"}
media: {bind: 127.0.0.1}
web: {listen: "127.0.0.1:8080"}
agents:
` + strings.Join(agents, "") + "lamps:\n" + strings.Join(lamps, "") + "buttons:\n" + strings.Join(buttons, "") +
		`queues: [{id: sales, number: "400", agents: [a0, a1, a2, a3, a4, a5, a6, a7]}]
`
}

// Who is logged out has a dark lamp; a press logs in, and the lamp of that desk alone lights. The whole exchange lies
// between the two pins, with the 10 ms in which the kernel waits for the contact to come to rest.
func TestAPressAtADeskLightsTheLampOfThatDesk(t *testing.T) {
	loopback(t)
	c := newChip(t, "pi", "pinctrl-rp1")
	exchange, said := office(t, deskOffice())
	running := exchange()
	must(t, running.Start())
	defer func() {
		_ = running.Process.Kill()
		_ = running.Wait()
	}()
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	until(t, "the exchange to run", func() bool {
		res, err := client.Get("http://127.0.0.1:8080/healthz")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	var took []time.Duration
	for n := range desks {
		start := time.Now()
		c.pull(desks+n, false) // to ground
		for ; !c.high(n); time.Sleep(500 * time.Microsecond) {
			if time.Since(start) > patience {
				t.Fatalf("the lamp of desk %d stays dark\n%s", n, said())
			}
		}
		took = append(took, time.Since(start))
		c.pull(desks+n, true)
		for other := n + 1; other < desks; other++ {
			if c.high(other) {
				t.Errorf("the button of desk %d lights the lamp of desk %d", n, other)
			}
		}
	}
	slices.Sort(took)
	t.Logf("figure: from the press of a button to the lamp, through the whole exchange: %v, at the worst %v", took[desks/2], took[desks-1])
}

func TestButtonsOfOneDeskAreReadApart(t *testing.T) {
	c := newChip(t, "pi", "pinctrl-rp1")
	var pins []light.ButtonPin
	for _, n := range []int{22, 23, 24} {
		pins = append(pins, light.ButtonPin{ID: "desk1", Pin: light.Pin{Chip: "pinctrl-rp1", Name: fmt.Sprintf("GPIO%d", n), ActiveLow: true}})
	}
	all, err := light.OpenButtons(pins, chips(t))
	must(t, err)
	for i, b := range all {
		c.pull(22+i, false)
		select {
		case <-b.Presses():
		case <-time.After(patience):
			t.Fatalf("button %d is not seen", i)
		}
		c.pull(22+i, true)
	}
	for i, b := range all {
		if n := len(b.Presses()); n != 0 {
			t.Errorf("button %d was pressed %d times more", i, n)
		}
		must(t, b.Close())
	}
	// A line is one thing's: who wants a second button there is told so, and nothing stays taken.
	all, err = light.OpenButtons([]light.ButtonPin{pins[0], pins[0]}, chips(t))
	if err == nil || !strings.Contains(err.Error(), "busy") || len(all) != 0 {
		t.Errorf("%d buttons, %v", len(all), err)
	}
	again, err := light.OpenButtons(pins[:1], chips(t))
	must(t, err)
	must(t, again[0].Close())
}
