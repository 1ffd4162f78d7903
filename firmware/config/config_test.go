package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

const office = `
box: {name: Bottega, language: it}
sip: {listen: "127.0.0.1:5060"}
phones:
  - {id: "201", name: Anna, password: correct-horse-1, md5: true}
  - {id: "202", name: Bruno, password: correct-horse-2}
lamps:
  - {id: desk1, driver: sim}
agents:
  - {id: anna, name: Anna, extension: "201", phones: ["201"], lamp: desk1, login: true}
  - {id: bruno, name: Bruno, extension: "202", phones: ["202"]}
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna, bruno], ring: 15s, wrap_up: 5s, overflow: "queue:desk"}
  - {id: desk, name: Banco, number: "401", agents: [bruno]}
trunks:
  - {id: tim, name: TIM, server: 127.0.0.1:5070, register: true, user: u, password: p, in: {"0612345678": "queue:sales", "*": "ext:201"}}
lines:
  - {id: gsm0, name: Mobile, type: gsm, at: var/modem0-at, audio: var/modem0-pcm, in: "queue:sales"}
routes:
  - {prefix: "", via: ["trunk:tim", "line:gsm0"]}
`

func TestAnOfficeIsReadWithItsDefaults(t *testing.T) {
	c, err := Parse([]byte(office))
	if err != nil {
		t.Fatal(err)
	}
	q := c.Queues[1]
	if q.Strategy != "longest_idle" || q.Ring != 20*time.Second || q.Overflow != "hangup" {
		t.Errorf("defaults of a queue: %+v", q)
	}
	if c.Queues[0].Ring != 15*time.Second || c.Trunks[0].Transport != "udp" || c.Media.PortMin != 16384 {
		t.Errorf("values: %+v", c)
	}
	if got := fmt.Sprintf("%v %+v %#v", c.Phones[0], c.Trunks[0], c.Phones[1]); strings.Contains(got, "horse") {
		t.Errorf("a password is printed: %s", got)
	}
}

func TestEncodeThenParseIsTheSameConfiguration(t *testing.T) {
	c, err := Parse([]byte(office))
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !reflect.DeepEqual(c, again) {
		t.Errorf("changed by a round trip:\n%+v\n%+v", c, again)
	}
}

func TestEveryMistakeIsFoundAtOnceWithItsPath(t *testing.T) {
	_, err := Parse([]byte(`
version: 1
sip: {listen: "0.0.0.0:5060", tls_listen: "192.0.2.1:5060", dscp: 64}
tls: {cert: /etc/cert.pem}
web: {listen: "127.0.0.1:80", plain_http: false}
box: {language: fr, timezone: Mars/Olympus}
media: {port_min: 80, dscp: -1}
phones:
  - {id: "201", password: short}
  - {id: "201", password: correct-horse-1}
agents:
  - {id: "Anna!", extension: "112", phones: ["999"], lamp: nowhere, dial: [moon]}
queues:
  - {id: a, number: "400", strategy: fastest, agents: [ghost], ring: 1s, overflow: "queue:b"}
  - {id: b, number: "400", agents: [], overflow: "queue:a"}
  - {id: c, number: "403", agents: [], overflow: "somewhere"}
trunks:
  - {id: t, transport: pigeon, register: true, in: {"x": "ext:77"}}
lines:
  - {id: l, type: telegraph}
routes:
  - {prefix: abc, via: ["trunk:zz"], strip: 99}
lamps:
  - {id: lamp, driver: candle}
presence: {watchers: ["201", "404"]}
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	got := map[string]bool{}
	for _, p := range found {
		got[p.Path+" "+p.Code] = true
	}
	for _, want := range []string{
		"box.language choice", "box.timezone timezone", "sip.tls_listen duplicate", "tls pair", "web.plain_http missing", "sip.dscp range", "media.dscp range", "media ports", "phones[0].password password", "phones[1].id duplicate",
		"agents[0].id id", "agents[0].extension emergency", "agents[0].phones[0] unknown", "agents[0].lamp unknown", "agents[0].dial[0] choice",
		"queues[0].strategy choice", "queues[0].agents[0] unknown", "queues[0].ring range", "queues[1].number duplicate",
		"queues[0].overflow loop", "queues[1].overflow loop", "queues[1].agents missing", "queues[2].overflow destination",
		"trunks[0].server missing", "trunks[0].transport choice", "trunks[0] credentials", "trunks[0].in[x] number", "trunks[0].in[x] unknown",
		"lines[0].type choice", "lines[0].at missing", "routes[0].prefix number", "routes[0].via[0] unknown", "routes[0].strip range", "lamps[0].driver choice",
		"presence.watchers[1] unknown",
	} {
		if !got[want] {
			t.Errorf("not reported: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestASyntaxErrorNamesItsLine(t *testing.T) {
	for name, text := range map[string]string{
		"unknown field": "box: {name: x}\nqueus: []\n",
		"bad yaml":      "box:\n  name: [\n",
		"wrong type":    "media: {port_min: many}\n",
		"bad address":   "sip: {listen: nowhere}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(text))
			p, ok := errors.AsType[Problems](err)
			if !ok || len(p) != 1 || p[0].Text == "" {
				t.Fatalf("got %v", err)
			}
			if name != "bad address" && !strings.HasPrefix(p[0].Path, "line ") {
				t.Errorf("no line in %q", p[0])
			}
		})
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	c, err := Parse(nil)
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("%v %+v", err, c)
	}
}

func TestOnlyUnknownFieldsArePassedOver(t *testing.T) {
	c, unknown, err := ParseKnown([]byte("box: {name: Here, holodeck: 7}\nteleporters: [{id: a}]\n"))
	if err != nil || c.Box.Name != "Here" || len(unknown) != 2 || unknown[0].Code != codeUnknown || unknown[1].Path != "line 2" {
		t.Errorf("%v, %v, %v", c.Box, unknown, err)
	}
	for _, text := range []string{"box: {name: [1], holodeck: 7}\n", "box: {timezone: Nowhere, holodeck: 7}\n", "box: [\n", "version: 2\n"} {
		if _, unknown, err := ParseKnown([]byte(text)); err == nil || unknown != nil {
			t.Errorf("%q: unknown %v, %v", text, unknown, err)
		}
	}
	if _, err := Parse([]byte("box: {name: Here, holodeck: 7}\n")); err == nil || !strings.Contains(err.Error(), "line 1: field holodeck") {
		t.Errorf("a misspelt name: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(office))
	f.Add([]byte("queues: [{id: a, overflow: 'queue:a'}]"))
	f.Add([]byte("a: &a [*a]"))
	if text, err := os.ReadFile("testdata/dialling.yaml"); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		out, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(out); err != nil {
			t.Fatalf("what we wrote cannot be read: %v\n%s", err, out)
		}
	})
}

func TestHTTPSNeedsAPortOfItsOwn(t *testing.T) {
	for listen, wrong := range map[string]bool{"0.0.0.0:8080": true, "127.0.0.1:5060": true, "0.0.0.0:443": false} {
		_, err := Parse([]byte("version: 1\nsip: {listen: \"0.0.0.0:5060\"}\nweb: {listen: \"127.0.0.1:8080\", tls_listen: \"" + listen + "\", plain_http: false}\n"))
		if got := err != nil && strings.Contains(err.Error(), "web.tls_listen"); got != wrong {
			t.Errorf("%s: %v", listen, err)
		}
	}
}
