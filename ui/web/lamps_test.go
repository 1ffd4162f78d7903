package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestALampIsAddedShownAndTakenAway(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) { c.Lamps = nil; c.Agents[0].Lamp = "" })
	_, body := s.get("/lamps?lang=en")
	if !strings.Contains(body, "There are no lamps.") || strings.Contains(body, "/lamps/test") {
		t.Error("an office without lamps")
	}
	form := url.Values{"driver": {"gpio"}, "was-driver": {"gpio"}, "shows": {"queue:sales"}, "lens": {"red"}, "chip": {"pinctrl-rp1"}, "line": {"GPIO17"}, "relay": {"on"}}
	if status, to := s.post("/lamps", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	s.post("/changes/apply", nil)
	l := s.settings.Port().Current().Lamps
	if len(l) != 1 || fmt.Sprintf("%s %s %s %s %s %v", l[0].ID, l[0].Driver, l[0].Shows, l[0].Lens, l[0].Line, l[0].Relay) != "lamp gpio queue:sales red GPIO17 true" {
		t.Fatalf("%+v", l)
	}
	_, body = s.get("/lamps?lang=en")
	for _, want := range []string{"queue Vendite", "red lamp of three", "pinctrl-rp1 GPIO17", `action="/lamps/lamp/find?lang=en"`, `action="/lamps/test?lang=en"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	s.apply(func(c *config.Config) { c.Lamps[0].Shows, c.Lamps[0].Lens = "", ""; c.Agents[0].Lamp = "lamp" })
	if status, _ := s.post("/lamps/lamp/remove", nil); status != http.StatusSeeOther {
		t.Fatalf("removed: %d", status)
	}
	s.post("/changes/apply", nil)
	if c := s.settings.Port().Current(); len(c.Lamps) != 0 || c.Agents[0].Lamp != "" {
		t.Errorf("left: %+v, %q", c.Lamps, c.Agents[0].Lamp)
	}
}

func TestTwoLampsOnOnePinAreRefusedAtSave(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		c.Lamps = append(c.Lamps, config.Lamp{ID: "first", Driver: "gpio", Chip: "pinctrl-rp1", Line: "GPIO17"})
	})
	status, body := s.post("/lamps?lang=en", url.Values{"driver": {"gpio"}, "chip": {"pinctrl-rp1"}, "line": {"GPIO17"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "line GPIO17 of chip pinctrl-rp1 is already that of lamp &#34;first&#34;") {
		t.Errorf("%d\n%s", status, body)
	}
}

func TestALampIsFoundAndAllAreTried(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) { c.Lamps = []config.Lamp{{ID: "desk1", Driver: "sim"}} })
	if _, body := s.post("/lamps/desk1/find?lang=en", nil); !strings.Contains(body, "Lamp desk1 blinks for 20 seconds") {
		t.Error("nothing is said of the lamp that blinks")
	}
	s.wizard.Sentence = "gone"
	if _, body := s.post("/lamps/desk9/find?lang=en", nil); !strings.Contains(body, `role="alert"`) {
		t.Error("nothing is said of a lamp that there is not")
	}
	if _, body := s.post("/lamps/test?lang=en", nil); s.lampTests != 1 || !strings.Contains(body, "one second each") {
		t.Errorf("%d tests", s.lampTests)
	}
}

func TestTheTableOfSignalsIsChangedWithinWhatIsSafeAndGivenBack(t *testing.T) {
	s := office(t)
	_, body := s.get("/signals?lang=en")
	if n := strings.Count(body, `<svg class="signal"`); n != len(config.LampStates()) || strings.Contains(body, "/usual") {
		t.Errorf("%d pictures", n)
	}
	if !strings.Contains(body, `<rect x="0" y="3" width="26" height="18" fill="#ffb400" fill-opacity="1"/><rect x="50" y="3" width="26"`) {
		t.Error("ringing is drawn otherwise")
	}
	was := url.Values{"was-rhythm": {"260 240"}, "was-colours": {"#ffb400"}, "was-level": {"100"}}
	post := func(rhythm, colours string) (int, string) {
		form := url.Values{"rhythm": {rhythm}, "colours": {colours}, "level": {"100"}}
		for k, v := range was {
			form[k] = v
		}
		return s.post("/signals/ringing?lang=en", form)
	}
	for name, c := range map[string]struct{ rhythm, colours, says string }{
		"faster than some can bear": {"100 200", "#ffb400", "This blinks too fast."},
		"steady, as a conversation": {"1000", "#ffb400", "Two states of one lamp look alike."},
		"nearly red":                {"260 240", "#ff4000", "Two colours of one lamp are too close."},
		"off the grid":              {"255 245", "#ffb400", "A lamp cannot show this."},
		"no figure":                 {"fast", "#ffb400", `id="f-rhythm-w"`},
		"no colour":                 {"260 240", "orange", `is not written as the box expects`},
	} {
		if status, body := post(c.rhythm, c.colours); status != http.StatusUnprocessableEntity || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d, without %q", name, status, c.says)
		}
	}
	if status, _ := post("200 200", "#0000ff"); status != http.StatusSeeOther {
		t.Fatalf("a good one: %d", status)
	}
	s.post("/changes/apply", nil)
	if rows := s.settings.Port().Current().Lights.Rows; len(rows) != 1 || fmt.Sprint(rows[0]) != "{ringing [#0000ff] 100 [200 200]}" {
		t.Fatalf("%+v", rows)
	}
	if _, body := s.get("/signals"); strings.Count(body, "/usual") != 1 {
		t.Error("there is no way back")
	}
	s.post("/signals/ringing/usual", nil)
	s.post("/changes/apply", nil)
	if rows := s.settings.Port().Current().Lights.Rows; len(rows) != 0 {
		t.Errorf("left: %+v", rows)
	}
	if status, _ := s.get("/signals/happy"); status != http.StatusNotFound {
		t.Errorf("a state that there is not: %d", status)
	}
}

func TestTheNightOfTheLampsIsSetAndEnded(t *testing.T) {
	s := office(t)
	if status, _ := s.post("/signals/look", url.Values{"from": {"20:00"}, "to": {"7"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("half a time: %d", status)
	}
	s.post("/signals/look", url.Values{"level": {"80"}, "was-level": {"100"}, "from": {"20:00"}, "to": {"07:00"}})
	s.post("/changes/apply", nil)
	if l := s.settings.Port().Current().Lights; fmt.Sprint(l) != "{80 {20:00 07:00 20} []}" {
		t.Errorf("%+v", l)
	}
	s.post("/signals/look", url.Values{"from": {""}, "was-from": {"20:00"}, "to": {""}, "was-to": {"07:00"}})
	s.post("/changes/apply", nil)
	if l := s.settings.Port().Current().Lights; l.Night != (config.LightsNight{}) {
		t.Errorf("%+v", l)
	}
}

func TestThePagesOfTheLampsAreLight(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		for i := range 100 {
			c.Lamps = append(c.Lamps, config.Lamp{ID: tel.LampID(fmt.Sprint("lamp", i)), Driver: "gpio", Chip: "pinctrl-rp1", Line: fmt.Sprint("GPIO", i)})
		}
	})
	for _, path := range []string{"/lamps", "/lamps/new", "/buttons", "/buttons/new", "/signals", "/signals/ringing", "/signals/look"} {
		_, body := s.get(path)
		var wire bytes.Buffer
		z := gzip.NewWriter(&wire)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		if wire.Len() > 23<<10 { // with style, icon and script 30 kB
			t.Errorf("%s is %d bytes gzipped", path, wire.Len())
		}
	}
}

func TestAButtonIsAddedShownAndTakenAway(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) { c.Buttons = nil })
	if _, body := s.get("/buttons?lang=en"); !strings.Contains(body, "There are no buttons of their own.") {
		t.Error("an office without buttons")
	}
	form := url.Values{"of": {"agent:anna"}, "use": {"help"}, "was-use": {"ready"}, "driver": {"gpio"}, "was-driver": {"gpio"}, "chip": {"pinctrl-rp1"}, "line": {"GPIO22"}}
	if status, to := s.post("/buttons", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	s.post("/changes/apply", nil)
	want := config.Button{ID: "button", Of: "agent:anna", Use: lamp.UseHelp, Driver: "gpio", Chip: "pinctrl-rp1", Line: "GPIO22"}
	if all := s.settings.Port().Current().Buttons; len(all) != 1 || all[0] != want {
		t.Fatalf("%+v", all)
	}
	_, body := s.get("/buttons?lang=en")
	for _, want := range []string{"ask for a supervisor", "pinctrl-rp1 GPIO22", `href="/buttons/button?lang=en"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	status, body := s.post("/buttons?lang=en", form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "line GPIO22 of chip pinctrl-rp1 is already that of the button &#34;button&#34;") {
		t.Errorf("two buttons on one pin: %d\n%s", status, body)
	}
	if status, _ := s.post("/buttons/button/remove", nil); status != http.StatusSeeOther {
		t.Fatalf("removed: %d", status)
	}
	s.post("/changes/apply", nil)
	if all := s.settings.Port().Current().Buttons; len(all) != 0 {
		t.Errorf("left: %+v", all)
	}
}

func TestAPinAtAModemsSupplyIsSetAndTakenAway(t *testing.T) {
	s := office(t)
	set := func(chip, line, lasts string) {
		t.Helper()
		p := s.settings.Port().Current().Lines[0].Power
		form := url.Values{
			"power_chip": {chip}, "was-power_chip": {p.Chip}, "power_line": {line}, "was-power_line": {p.Line},
			"power_for": {lasts}, "was-power_for": {fmt.Sprint(p.For.Seconds())},
		}
		if status, body := s.post("/lines/modem/gsm0", form); status != http.StatusSeeOther {
			t.Fatalf("%d %s", status, body)
		}
		s.post("/changes/apply", nil)
	}
	set("pinctrl-rp1", "GPIO23", "2.5")
	if p := s.settings.Port().Current().Lines[0].Power; p != (config.ModemPower{Chip: "pinctrl-rp1", Line: "GPIO23", For: 2500 * time.Millisecond}) {
		t.Errorf("set: %+v", p)
	}
	set("", "", "2.5")
	if p := s.settings.Port().Current().Lines[0].Power; p.Fitted() {
		t.Errorf("taken away: %+v", p)
	}
}
