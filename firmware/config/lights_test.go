package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// problemsOf are the codes and paths of what is wrong in a file.
func problemsOf(t *testing.T, file string) (all []string) {
	t.Helper()
	_, err := Parse([]byte("version: 1\n" + file))
	problems, ok := err.(Problems)
	if err != nil && !ok {
		t.Fatal(err)
	}
	for _, p := range problems {
		all = append(all, p.Code+" "+p.Path)
	}
	return all
}

func TestTheLookOfTheLampsIsRefusedWithWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"nothing":                     {``, ""},
		"a taste of one's own":        {`lights: {level: 60, night: {from: "20:00", to: "07:30"}, rows: [{state: ringing, colours: ["#0000ff"], rhythm: [200, 200]}]}`, ""},
		"too bright":                  {`lights: {level: 101}`, "range lights.level"},
		"half a night":                {`lights: {night: {from: "20:00"}}`, "form lights.night.to"},
		"no time":                     {`lights: {night: {from: "25:00", to: "07:00"}}`, "form lights.night.from"},
		"a night that is black":       {`lights: {night: {from: "20:00", to: "07:00", level: -1}}`, "range lights.night.level"},
		"no state":                    {`lights: {rows: [{state: happy}]}`, "unknown lights.rows[0].state"},
		"two rows":                    {`lights: {rows: [{state: paused, colours: ["#ffffff"], rhythm: [200, 400]}, {state: paused, colours: ["#ffffff"], rhythm: [200, 400]}]}`, "duplicate lights.rows[1].state"},
		"no colour":                   {`lights: {rows: [{state: talking, colours: [red], rhythm: [1000]}]}`, "form lights.rows[0].colours"},
		"too fast":                    {`lights: {rows: [{state: ringing, colours: ["#ffb400"], rhythm: [100, 200]}]}`, "lamp_fast lights.rows[0]"},
		"off the grid":                {`lights: {rows: [{state: ringing, colours: ["#ffb400"], rhythm: [250, 250]}]}`, "lamp_look lights.rows[0]"},
		"like another, of the usual":  {`lights: {rows: [{state: wrap_up, colours: ["#ff0000"], rhythm: [1000]}]}`, "lamp_alike lights.rows[0]"},
		"dark like who is not there":  {`lights: {rows: [{state: paused}]}`, "lamp_alike lights.rows[0]"},
		"red that some see as orange": {`lights: {rows: [{state: wrap_up, colours: ["#ff4000"], rhythm: [1000, 1000]}]}`, "lamp_hue lights.rows[0]"},
		"a rhythm of years":           {`lights: {rows: [{state: wrap_up, colours: ["#ff0000"], rhythm: [2000000000, 1000]}]}`, "range lights.rows[0].rhythm"},
	} {
		t.Run(name, func(t *testing.T) {
			all := problemsOf(t, c.file)
			if c.want == "" && len(all) > 0 || c.want != "" && !strings.Contains(strings.Join(all, "\n"), c.want) {
				t.Errorf("%q, want %q", all, c.want)
			}
		})
	}
}

func TestALampIsOfWhatThereIs(t *testing.T) {
	const house = `
phones: [{id: "201", password: secretsecret12}]
agents: [{id: anna, extension: "21", phones: ["201"], lamp: a}]
queues: [{id: sales, number: "80", agents: [anna]}]
trunks: [{id: tim, server: sip.tim.it, user: x, password: y}]
lines: [{id: gsm0, type: gsm, at: usb}]
lamps:
  - {id: a, driver: sim}
  - {id: b, driver: sim, %s}
`
	for shows, want := range map[string]string{
		`shows: ""`:                        "",
		`shows: "queue:sales"`:             "",
		`shows: "queue:sales", lens: red`:  "",
		`shows: "queue:sales", lens: blue`: "choice lamps[1].lens",
		`shows: "agent:anna", lens: red`:   "range lamps[1].lens",
		`shows: "agent:anna"`:              "",
		`shows: "agent:bruno"`:             "unknown lamps[1].shows",
		`shows: "queue:none"`:              "unknown lamps[1].shows",
		`shows: "desk:201"`:                "",
		`shows: "desk:999"`:                "unknown lamps[1].shows",
		`shows: "line:gsm0"`:               "",
		`shows: "trunk:gsm0"`:              "unknown lamps[1].shows",
		`shows: system`:                    "",
		`shows: weather`:                   "form lamps[1].shows",
	} {
		var found []string
		for _, p := range problemsOf(t, fmt.Sprintf(house, shows)) {
			if strings.Contains(p, "lamps[") {
				found = append(found, p)
			}
		}
		if got := strings.Join(found, "; "); got != want {
			t.Errorf("%s: %q, want %q", shows, got, want)
			t.Log(problemsOf(t, fmt.Sprintf(house, shows)))
		}
	}
	found := problemsOf(t, strings.Replace(fmt.Sprintf(house, "relay: true"), "{id: a, driver: sim}", "{id: a, driver: sim, shows: system}", 1))
	if !strings.Contains(strings.Join(found, "\n"), "shared lamps[0].shows") {
		t.Errorf("a lamp of two: %q", found)
	}
}

func TestTheTableOfTheFileIsTheUsualOneWithItsRows(t *testing.T) {
	c, err := Parse([]byte(`version: 1
lights: {level: 50, night: {from: "22:15", to: "06:00"}, rows: [{state: ringing, colours: ["#0000ff", "#ffffff"], rhythm: [200, 200]}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	p := c.LampPolicy()
	if got := LightRowOf(p["ringing"]); fmt.Sprint(got) != fmt.Sprint(c.Lights.Rows[0]) || got.Level != 100 {
		t.Errorf("%+v, want %+v", got, c.Lights.Rows[0])
	}
	for s, row := range lamp.Usual() {
		if s != "ringing" && fmt.Sprint(p[s]) != fmt.Sprint(row) {
			t.Errorf("%s has changed: %+v", s, p[s])
		}
		r := LightRowOf(row)
		if back := r.row(); fmt.Sprint(back) != fmt.Sprint(row) {
			t.Errorf("%+v is read back as %+v", row, back)
		}
	}
	if n := c.Lights.Night.Dimmed(time.UTC); n != (lamp.Night{From: 22*time.Hour + 15*time.Minute, To: 6 * time.Hour, Percent: 20, Zone: time.UTC}) {
		t.Errorf("night %+v", n)
	}
}

func FuzzReadColour(f *testing.F) {
	for _, s := range []string{"#ff0000", "#FF00ff", "ff0000", "#f", "#-12345"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := readColour(s)
		if back := fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B); ok && back != strings.ToLower(s) {
			t.Fatalf("%q is read as %s", s, back)
		}
	})
}
