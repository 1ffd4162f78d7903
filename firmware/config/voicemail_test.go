package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const shop = office + `
prompts:
  pin: "8264"
  list:
    - {id: welcome, name: Benvenuto, number: "1"}
    - {id: night, name: Notte, number: "2"}
menus:
  - id: day
    greeting: ["prompt:welcome"]
    keys: {"1": "queue:sales", "2": "menu:more", "3": "voicemail:201", "9": repeat, "8": "language:en"}
    dial: true
    timeout_to: "queue:sales"
  - {id: more, greeting: [closed], keys: {"0": "menu:day", "1": "ext:201"}}
voicemail:
  boxes:
    - {number: "201", pin: "90210", mail: "Anna <anna@shop.test>", mailed: heard, retention_days: 30}
    - {number: "202", own_phone: true}
mail: {server: mail.shop.test, user: box, password: s3cret, from: box@shop.test}
`

func TestMenusAndMailboxesAreReadWithTheirDefaults(t *testing.T) {
	c := parsed(t, shop)
	if m := c.Menus[0]; m.Wait != 5*time.Second || m.Timeouts != 3 || m.Invalid != 3 || m.InvalidTo != "hangup" || m.TimeoutTo != "queue:sales" {
		t.Errorf("%+v", m)
	}
	if v := c.Voicemail; v.MaxLength != 3*time.Minute || v.Silence != 5*time.Second || v.QuotaMB != 500 {
		t.Errorf("%+v", v)
	}
	if b := c.Voicemail.Boxes[1]; b.MaxMessages != 100 || b.Mailed != "new" {
		t.Errorf("%+v", b)
	}
	if c.Mail.Port != 587 || c.Mail.Security != "starttls" {
		t.Errorf("%+v", c.Mail)
	}
	if got := fmt.Sprintf("%v %+v %#v %+v", c.Voicemail, c.Voicemail, c.Prompts, c.Mail); strings.Contains(got, "90210") || strings.Contains(got, "8264") || strings.Contains(got, "s3cret") {
		t.Errorf("a secret is printed: %s", got)
	}
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again := parsed(t, string(text)); !reflect.DeepEqual(c, again) {
		t.Errorf("changed by a round trip:\n%s", strings.Join(lines(Diff(c, again)), "\n"))
	}
}

func lines(all []Change) []string {
	var text []string
	for _, c := range all {
		text = append(text, c.String())
	}
	return text
}

func TestEveryMistakeOfMenusAndMailboxesIsFoundAtOnce(t *testing.T) {
	_, err := Parse([]byte(office + `
prompts:
  pin: "1111"
  list:
    - {id: a.b, number: "x"}
    - {id: c, number: "7"}
    - {id: c, number: "7"}
menus:
  - {id: one, keys: {"12": "ext:201", "2": "menu:nowhere", "3": "voicemail:203", "4": moon}, greeting: ["prompt:lost"], wait: 1ms, timeouts: 99, invalid: -1}
  - {id: two, greeting: [closed], keys: {"1": "ext:201"}, timeout_to: "menu:three"}
  - {id: three, greeting: [closed], keys: {"1": "ext:201"}, timeout_to: "menu:two", invalid_to: "menu:three"}
  - {id: empty}
  - {id: empty, greeting: [closed], dial: true}
voicemail:
  max_length: 1s
  silence: 1h
  quota_mb: 1
  boxes:
    - {number: "999", pin: "1234", language: fr, max_messages: -1, retention_days: 4000, mailed: lost}
    - {number: "201", mail: "nobody", mailed: deleted, mail_text_only: true}
    - {number: "201", own_phone: true, mailed: heard}
    - {number: "202", own_phone: true, mail: "nobody"}
mail: {security: magic, port: 99999}
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
		"prompts.pin pin", "prompts.list[0].id id", "prompts.list[0].number number", "prompts.list[2].id duplicate", "prompts.list[2].number duplicate",
		"menus[0].keys[12] key", "menus[0].keys[2] unknown", "menus[0].keys[3] unknown", "menus[0].keys[4] destination", "menus[0].greeting[0] unknown",
		"menus[0].wait range", "menus[0].timeouts range", "menus[0].invalid range", "menus[1].timeout_to loop", "menus[2].timeout_to loop", "menus[2].invalid_to loop",
		"menus[3].greeting missing", "menus[3].keys missing", "menus[4].id duplicate",
		"voicemail.max_length range", "voicemail.silence range", "voicemail.quota_mb range",
		"voicemail.boxes[0].number unknown", "voicemail.boxes[0].pin pin", "voicemail.boxes[0].language choice", "voicemail.boxes[0].max_messages range",
		"voicemail.boxes[0].retention_days range", "voicemail.boxes[0].mailed choice",
		"voicemail.boxes[1] missing", "voicemail.boxes[1].mailed loss", "voicemail.boxes[2].number duplicate", "voicemail.boxes[2].mailed missing",
		"voicemail.boxes[3].mail address", "mail.server missing", "mail.security choice", "mail.port range",
	} {
		if !got[want] {
			t.Errorf("not reported: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestALoopThroughAQueueIsFound(t *testing.T) {
	c := parsed(t, shop)
	c.Queues[0].Overflow = "menu:day"
	var found bool
	for _, p := range c.Validate() {
		found = found || p.Path == "menus[0].timeout_to" && p.Code == "loop"
	}
	if !found {
		t.Error("a queue that overflows into the menu that fills it")
	}
}

func TestMailNeedsItsServersFacts(t *testing.T) {
	for name, c := range map[string]struct {
		mail Mail
		want string
	}{
		"no sender":               {Mail{Server: "m.test", Security: "starttls", Port: 587}, "mail.from missing"},
		"a sender that is none":   {Mail{Server: "m.test", Security: "starttls", Port: 587, From: "box"}, "mail.from address"},
		"a server with its port":  {Mail{Server: "m.test:587", Security: "starttls", Port: 587, From: "a@b.test"}, "mail.server address"},
		"a user without password": {Mail{Server: "m.test", Security: "starttls", Port: 587, From: "a@b.test", User: "u"}, "mail.password missing"},
		"a password in the clear": {Mail{Server: "m.test", Security: "none", Port: 25, From: "a@b.test", User: "u", Password: "p"}, "mail.security clear"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.Mail = c.mail
			var all []string
			for _, p := range cfg.Validate() {
				all = append(all, p.Path+" "+p.Code)
			}
			if strings.Join(all, ",") != c.want {
				t.Errorf("%v", all)
			}
		})
	}
}
