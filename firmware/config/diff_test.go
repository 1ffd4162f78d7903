package config

import (
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var update = flag.Bool("update", false, "write the golden files anew")

func parsed(t *testing.T, text string) Config {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// edits are one change to each kind of field that a configuration has.
var edits = map[string]func(*Config){
	"a name":                 func(c *Config) { c.Box.Name = "Officina" },
	"an address":             func(c *Config) { c.SIP.Advertise = netip.MustParseAddr("192.0.2.1") },
	"an address with a port": func(c *Config) { c.Web.Listen = netip.MustParseAddrPort("127.0.0.1:8081") },
	"a port for TLS":         func(c *Config) { c.SIP.TLSListen = netip.MustParseAddrPort("0.0.0.0:5061") },
	"a given certificate":    func(c *Config) { c.TLS = TLS{Cert: "/etc/pronto/cert.pem", Key: "/etc/pronto/key.pem"} },
	"a list of networks":     func(c *Config) { c.SIP.LAN = nil },
	"a number":               func(c *Config) { c.Media.PortMax = 20001 },
	"a switch":               func(c *Config) { c.Phones[1].MD5 = true },
	"a password":             func(c *Config) { c.Phones[0].Password = "new-secret-of-201" },
	"a removed phone":        func(c *Config) { c.Agents[1].Phones = nil; c.Phones = c.Phones[:1] },
	"a new agent": func(c *Config) {
		c.Agents = append(c.Agents, Agent{ID: "carla", Name: "Carla", Extension: "203", Dial: []string{"internal"}})
	},
	"a new trunk with its password": func(c *Config) {
		c.Trunks = append(c.Trunks, Trunk{ID: "voip", Server: "sip.example.net", Transport: "udp", Register: true, User: "box", Password: "trunk-secret", Format: "e164"})
	},
	"a duration":              func(c *Config) { c.Queues[0].Ring = 30 * time.Second },
	"the members of a queue":  func(c *Config) { c.Queues[0].Agents = []tel.AgentID{"bruno", "anna"} },
	"the order of queues":     func(c *Config) { c.Queues[0], c.Queues[1] = c.Queues[1], c.Queues[0] },
	"a destination":           func(c *Config) { c.Trunks[0].In["0612345678"] = "queue:desk" },
	"a removed destination":   func(c *Config) { delete(c.Trunks[0].In, "*") },
	"a route, which has none": func(c *Config) { c.Routes[0].Prefix = "+39" },
	"a second route":          func(c *Config) { c.Routes = append(c.Routes, Route{Prefix: "+49", Via: []string{"trunk:tim"}}) },
	"how a person works": func(c *Config) {
		c.Agents[0].Work = Work{WrapUp: 5 * time.Second, Capacity: 2, Shift: []string{"mon-fri 09:00-18:00"}}
	},
	"what misses do":    func(c *Config) { c.Queues[0].Missed = Missed{After: 3, Logout: true} },
	"what a person can": func(c *Config) { c.Agents[0].Skills = map[string]int{"english": 7, "sales": 2} },
	"who gets whom": func(c *Config) {
		d := &c.Queues[0].Distribution
		d.Needs, d.Languages = map[string]int{"sales": 4}, map[string]map[string]int{"en": {"english": 3}}
		d.Grades = map[tel.AgentID]Grade{"anna": {Level: 1, Weight: 3}}
		d.Levels, d.Relax = []LevelRule{{After: 30 * time.Second, UpTo: 1}}, []Relax{{After: time.Minute}}
	},
	"reasons of pauses":        func(c *Config) { c.Pauses.Reasons = []PauseReason{{"1", "Pranzo"}} },
	"who may watch":            func(c *Config) { c.Presence.Watchers = []tel.DeviceID{"202"} },
	"permissions taken away":   func(c *Config) { c.Agents[0].Dial = []string{} },
	"a legal basis":            func(c *Config) { c.Supervision.LegalBasis.Kind = UnionAgreement },
	"whom a person supervises": func(c *Config) { c.Agents[0].Supervises = []string{"queue:sales"} },
}

func TestDiffAgainstItsGoldenFile(t *testing.T) {
	var got strings.Builder
	for _, name := range mapKeys(reflect.ValueOf(edits)) {
		a := parsed(t, office)
		b := a.Clone()
		edits[name](&b)
		got.WriteString("# " + name + "\n")
		for _, c := range Diff(a, b) {
			got.WriteString(c.String() + "\n")
		}
	}
	const golden = "testdata/diff.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	for _, secret := range []string{"horse", "secret-of", "trunk-secret"} {
		if strings.Contains(got.String(), secret) {
			t.Errorf("a secret is shown: %q", secret)
		}
	}
}

func TestDiffIsEmptyExactlyWhenBothFilesSayTheSame(t *testing.T) {
	drafts, texts := map[string]Config{}, map[string]string{}
	for name, edit := range edits {
		c := parsed(t, office)
		edit(&c)
		text, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		drafts[name], texts[name] = c, string(text)
	}
	for first, a := range drafts {
		for second, b := range drafts {
			if d := Diff(a, b); (len(d) == 0) != (texts[first] == texts[second]) {
				t.Errorf("%s, %s: %v", first, second, d)
			}
			if d := Diff(a, a.Clone()); len(d) != 0 {
				t.Errorf("%s: differs from its own copy: %v", first, d)
			}
		}
	}
}

func TestDiffOfBrokenDraftsComparesByPlace(t *testing.T) {
	a := Config{Phones: []Phone{{ID: "201"}, {ID: "201", Name: "twice"}}}
	b := Config{Phones: []Phone{{ID: "201"}, {ID: "201", Name: "again"}, {}}}
	got := Diff(a, b)
	if len(got) != 2 || got[0].Path != "phones[1].name" || got[1].Path != "phones[2]" || got[1].Kind != Added {
		t.Errorf("%v", got)
	}
}

func TestEditingACloneLeavesTheOriginal(t *testing.T) {
	want := parsed(t, office)
	for name, edit := range edits {
		a := parsed(t, office)
		b := a.Clone()
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("a clone is something else: %v", Diff(a, b))
		}
		edit(&b)
		if !reflect.DeepEqual(a, want) {
			t.Errorf("%s: shared with its clone", name)
		}
	}
}

func TestAnEmptyListThatForbidsSurvivesEncoding(t *testing.T) {
	c := parsed(t, office)
	c.Agents[0].Dial, c.SIP.LAN = []string{}, nil
	c.Agents = append(c.Agents, Agent{ID: "carla", Extension: "203"}) // left out: has the default
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again := parsed(t, string(text))
	if len(again.Agents[0].Dial) != 0 || len(again.SIP.LAN) != 0 || len(again.Agents[2].Dial) != 3 {
		t.Errorf("dial %v, lan %v, new agent %v", again.Agents[0].Dial, again.SIP.LAN, again.Agents[2].Dial)
	}
}
