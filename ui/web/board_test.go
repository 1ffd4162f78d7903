package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/wiring"
)

func TestTheMachineIsShownAsItIs(t *testing.T) {
	for _, lang := range i18n.Languages() {
		for name, c := range map[string]struct {
			id    string
			state *page.BoardState
		}{
			"faults": {"pi5", settingstest.EveryFault()},
			"well": {"cm4", &page.BoardState{
				Heated: true, Heat: 48, Limit: 80, Power: &page.BoardPower{Was: true}, Disks: []page.BoardDisk{{Name: "mmcblk0", Kind: "card", GB: 31.9}},
				Ports: []page.BoardPort{{Name: "eth0", Up: true, Speed: 1000}, {Name: "wlan0", Wireless: true, Up: true}},
			}},
			"mute": {"pc", nil},
			"own":  {"arm64", &page.BoardState{Clock: &page.BoardClock{}, Disks: []page.BoardDisk{{Name: "sda", Kind: "drive", GB: 500}}}},
		} {
			s := office(t)
			s.machine.ID, s.machine.State = c.id, c.state
			_, body := s.get("/board?lang=" + lang)
			look(t, lang, "board-"+name, body)
		}
	}
}

func TestEveryConditionOfABoardHasItsFourWords(t *testing.T) {
	for _, said := range settingstest.EveryFault().Wrong {
		for _, lang := range i18n.Languages() {
			cat, err := i18n.Load(lang)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(said.Sentence, "board.wrong.")
			for _, key := range []string{said.Sentence, said.Sentence + ".why", said.Sentence + ".do", "condition." + name} {
				if !cat.Has(key) {
					t.Errorf("%s lacks %q", lang, key)
				}
			}
		}
	}
}

func TestEachKindOfLampHasASheet(t *testing.T) {
	for _, lang := range i18n.Languages() {
		for _, kind := range wiring.Kinds() {
			s := office(t)
			s.apply(func(c *config.Config) { c.Lamps = nil; c.Agents[0].Lamp = "" })
			_, body := s.get(fmt.Sprintf("/lamps/wiring?board=pi4&kind=%s&lang=%s", kind, lang))
			look(t, lang, "wiring-"+string(kind), body)
		}
	}
}

func TestTheSheetsOfAnOfficeAreThoseOfItsLamps(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		c.Lamps = []config.Lamp{
			{ID: "desk1", Driver: "gpio", Chip: "pinctrl-rp1", Line: "pin 11", Button: "gpio", ButtonLine: "GPIO27"},
			{ID: "desk2", Driver: "gpio", Line: "GPIO5"},
			{ID: "stack", Driver: "ws2812", Chip: "0.0", LEDs: 12},
			{ID: "second", Driver: "ws2812", Chip: "0.1"},
			{ID: "here", Driver: "sim"},
		}
		c.Agents[0].Lamp = ""
	})
	_, body := s.get("/lamps/wiring?lang=en")
	if n := strings.Count(body, `<svg class="wires"`); n != 4 || strings.Contains(body, "this is an example") {
		t.Errorf("%d drawings: LEDs, a button and two strips were expected", n)
	}
	for _, want := range []string{
		`<td>pin 11 <small>GPIO17</small></td><td>yellow, 330 Ω</td><td>LED desk1: &#43;</td>`, `<td>button of desk1: 1</td>`, `<td>pin 29 <small>GPIO5</small></td>`,
		"LED 0–11 → stack", "More than 8 LEDs", "the pins give 8 mA; all pins together may give 50 mA", `<option value="">this one: Raspberry Pi 5, 500</option>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %q", want)
		}
	}
	_, body = s.get("/lamps/wiring?lang=en&board=pi4")
	if !strings.Contains(body, "<strong>desk1 cannot be drawn here.</strong>") || !strings.Contains(body, "pinctrl-bcm2711") || !strings.Contains(body, `<option value="pi4" selected>`) {
		t.Error("on another board: nothing says that its chip is not there")
	}
	_, body = s.get("/lamps/wiring?lang=en&kind=relay")
	if !strings.Contains(body, "this is an example") || !strings.Contains(body, "electrician") || strings.Count(body, `<svg class="wires"`) != 1 {
		t.Error("a kind that the office has not is shown by no example")
	}
	for _, path := range []string{"/lamps/wiring?board=abacus&kind=candle", "/lamps/wiring?kind=%3Cscript%3Ealert(1)%3C/script%3E&board=%22%3E"} {
		if status, body := s.get(path); status != http.StatusOK || strings.Contains(body, "abacus") || strings.Contains(body, "script>alert") {
			t.Errorf("%s: %d", path, status)
		}
	}
	_, body = s.get("/lamps?lang=en")
	if !strings.Contains(body, `href="/lamps/wiring?lang=en"`) {
		t.Error("the page of the lamps does not lead to it")
	}
}

func TestTheSheetsOfAMachineWithoutPinsSayWhyNothingIsDrawn(t *testing.T) {
	s := office(t)
	s.machine.ID = "pc"
	s.apply(func(c *config.Config) {
		c.Lamps = []config.Lamp{{ID: "desk1", Driver: "gpio", Line: "pin 11"}, {ID: "desk2", Driver: "usb", Chip: "1-1.2"}}
		c.Agents[0].Lamp = ""
	})
	_, body := s.get("/lamps/wiring?lang=en")
	if strings.Contains(body, "<svg class=\"wires\"") || !strings.Contains(body, "desk1 cannot be drawn here.") || !strings.Contains(body, "USB light desk2: USB 1-1.2") {
		t.Error("something else is drawn, or nothing is said")
	}
}

var (
	drawnPath = regexp.MustCompile(`<path class="w-[a-z]+" d="M(\d+) (\d+)`)
	drawnPin  = regexp.MustCompile(`<circle cx="(\d+)" cy="(\d+)" r="9" class="used"/><text [^>]*>(\d+)</text>`)
	listedPin = regexp.MustCompile(`<td>pin (\d+) <small>`)
)

// What the picture draws and what the table lists are the same wires, on every board and of every kind.
func TestThePictureAndTheTableHaveTheSameWires(t *testing.T) {
	s := office(t)
	for _, m := range model.Models() {
		if !m.Hardware.Header {
			continue
		}
		for _, kind := range wiring.Kinds() {
			_, body := s.get(fmt.Sprintf("/lamps/wiring?board=%s&kind=%s&lang=en", m.ID, kind))
			at := map[string]string{}
			for _, c := range drawnPin.FindAllStringSubmatch(body, -1) {
				at[c[1]+" "+c[2]] = c[3]
			}
			var drawn, listed []string
			for _, p := range drawnPath.FindAllStringSubmatch(body, -1) {
				if pin := at[p[1]+" "+p[2]]; pin != "" {
					drawn = append(drawn, pin)
				}
			}
			for _, l := range listedPin.FindAllStringSubmatch(body, -1) {
				listed = append(listed, l[1])
			}
			if fmt.Sprint(drawn) != fmt.Sprint(listed) || kind != wiring.USB && len(drawn) == 0 {
				t.Errorf("%s at %s: drawn %v, listed %v", kind, m.Name, drawn, listed)
			}
		}
	}
}

func TestTheSheetOfALargeOfficeIsLight(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		c.Lamps = nil
		c.Agents[0].Lamp = ""
		for i := range 22 {
			c.Lamps = append(c.Lamps, config.Lamp{ID: tel.LampID(fmt.Sprint("led", i)), Driver: "gpio", Line: fmt.Sprint("GPIO", i+4)})
		}
		for i := range 100 {
			c.Lamps = append(c.Lamps, config.Lamp{ID: tel.LampID(fmt.Sprint("shift", i)), Driver: "74hc595", Chip: "0.0", Bit: i})
		}
		for i := range 16 {
			c.Lamps = append(c.Lamps, config.Lamp{ID: tel.LampID(fmt.Sprint("mcp", i)), Driver: "mcp23017", Chip: "1:0x27", Bit: i})
		}
	})
	_, body := s.get("/lamps/wiring?lang=it")
	var wire bytes.Buffer
	z := gzip.NewWriter(&wire)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	t.Logf("138 lamps: %d bytes gzipped", wire.Len())
	if wire.Len() > 20<<10 { // with style and icon 30 kB
		t.Errorf("%d bytes gzipped", wire.Len())
	}
}

func TestWhoMayNotConfigureSeesNeitherTheMachineNorItsWires(t *testing.T) {
	s := office(t)
	for _, path := range []string{"/board", "/lamps/wiring"} {
		if w := s.do(ask{method: http.MethodGet, path: path, as: access.Agent}); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
