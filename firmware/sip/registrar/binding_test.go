package registrar

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

func TestMalformedRegistersGetTheAnswerOfTheirStandard(t *testing.T) {
	long := strings.Repeat("x", 600)
	for name, tc := range map[string]struct {
		change func(s string) string
		status int
	}{
		"no user in To":                        {func(s string) string { return strings.Replace(s, "To: <sip:201@", "To: <sip:", 1) }, 400},
		"tel To":                               {func(s string) string { return strings.Replace(s, "To: <sip:201@192.168.1.1>", "To: <tel:201>", 1) }, 400},
		"control character in the user":        {func(s string) string { return strings.Replace(s, "To: <sip:201@", "To: <sip:201%0a@", 1) }, 403},
		"user that looks like white space":     {func(s string) string { return strings.Replace(s, "To: <sip:201@", "To: <sip:201%20@", 1) }, 403},
		"broken escape in the user":            {func(s string) string { return strings.Replace(s, "To: <sip:201@", "To: <sip:201%zz@", 1) }, 400},
		"very long user":                       {func(s string) string { return strings.Replace(s, "To: <sip:201@", "To: <sip:"+long+"@", 1) }, 403},
		"no user in From":                      {func(s string) string { return strings.Replace(s, "From: <sip:201@", "From: <sip:", 1) }, 400},
		"third party":                          {func(s string) string { return strings.Replace(s, "From: <sip:201@", "From: <sip:202@", 1) }, 403},
		"CSeq of another method":               {func(s string) string { return strings.Replace(s, "1 REGISTER\r", "1 INVITE\r", 1) }, 400},
		"no CSeq":                              {func(s string) string { return strings.Replace(s, "CSeq:", "X-CSeq:", 1) }, 400},
		"no Call-ID":                           {func(s string) string { return strings.Replace(s, "Call-ID:", "X-Call:", 1) }, 400},
		"no From":                              {func(s string) string { return strings.Replace(s, "From:", "X-From:", 1) }, 400},
		"long Call-ID":                         {func(s string) string { return strings.Replace(s, "call-201", long, 1) }, 400},
		"tel contact":                          {contactTo("<tel:201>"), 400},
		"contact without host":                 {contactTo("<sip:201@>"), 400},
		"contact with a huge port":             {contactTo("<sip:201@h:70000>"), 400},
		"contact that is very long":            {contactTo("<sip:" + long + "@h>"), 400},
		"star in a URI is no star":             {contactTo("<sip:*>"), 400},
		"star without Expires":                 {contactTo("*"), 400},
		"star with a time":                     {contactTo("*\r\nExpires: 60"), 400},
		"star and another":                     {contactTo("*\r\nContact: <sip:201@h>\r\nExpires: 0"), 400},
		"eleven contacts":                      {contactTo("<sip:1@h>" + strings.Repeat(", <sip:1@h>", 10)), 400},
		"path that is no address":              {contactTo("<sip:201@h>\r\nPath: <>"), 400},
		"path to a telephone":                  {contactTo("<sip:201@h>\r\nPath: <tel:1>"), 400},
		"eleven hops of path":                  {contactTo("<sip:201@h>\r\nPath: <sip:p;lr>" + strings.Repeat(", <sip:p;lr>", 10)), 400},
		"extension that is not spoken":         {contactTo("<sip:201@h>\r\nRequire: path, gruu"), 420},
		"two Authorization texts, one garbage": {contactTo("<sip:201@h>\r\nAuthorization: Digest x=\r\nAuthorization: Digest realm=\"pronto\""), 400},
		"Basic is no login":                    {contactTo("<sip:201@h>\r\nAuthorization: Basic Zm9v"), 401},
		"session variant is asked again":       {contactTo("<sip:201@h>\r\nAuthorization: Digest username=\"201\", realm=\"pronto\", algorithm=MD5-sess"), 401},
		"fine so far":                          {func(s string) string { return s }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			text := tc.change(newPhone("201").text(""))
			res := want(t, b.send(t, text, lanFlow), tc.status)
			if tc.status == 420 && res.GetHeader("Unsupported").Value() != "gruu" {
				t.Errorf("%s", res)
			}
			if malformed := b.Counters().Malformed; (malformed == 1) != (tc.status == 400) {
				t.Errorf("counted %d", malformed)
			}
		})
	}
}

func contactTo(value string) func(string) string {
	return func(s string) string {
		return strings.Replace(s, "Contact: <sip:201@192.168.1.50:5070>", "Contact: "+value, 1)
	}
}

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func uri(text string) sip.Uri {
	var u sip.Uri
	if err := sip.ParseUri(text, &u); err != nil {
		panic(err)
	}
	return u
}

func reg(callID string, cseq uint32, contacts ...contact) registration {
	return registration{user: "201", callID: callID, cseq: cseq, contacts: contacts}
}

func at(text string, expires time.Duration) contact { return contact{uri: uri(text), expires: expires} }

func inst(text, instance string) contact {
	return contact{uri: uri(text), instance: instance, expires: time.Hour}
}

func flowOf(text, instance string, regID int) contact {
	c := inst(text, instance)
	c.regID = regID
	return c
}

// The rules of RFC 3261 section 10.3, step by step on one device: each step shows the contacts
// that stand after it, oldest REGISTER first.
func TestBindingsFollowTheRegisters(t *testing.T) {
	type step struct {
		reg    registration
		after  time.Duration
		status int // 0 = accepted
		want   string
	}
	for name, steps := range map[string][]step{
		"a second phone joins, the first renews": {
			{reg("a", 1, at("sip:1@h1", 300*time.Second)), 0, 0, "1@h1:300"},
			{reg("b", 1, at("sip:1@h2", 600*time.Second)), 0, 0, "1@h1:300 1@h2:600"},
			{reg("a", 2, at("sip:1@h1", 300*time.Second)), 100 * time.Second, 0, "1@h2:500 1@h1:300"},
		},
		"removal by Expires 0 and by star": {
			{reg("a", 1, at("sip:1@h1", time.Hour), at("sip:1@h2", time.Hour), at("sip:1@h3", time.Hour)), 0, 0, "1@h1:3600 1@h2:3600 1@h3:3600"},
			{reg("a", 2, at("sip:1@h2", 0)), 0, 0, "1@h1:3600 1@h3:3600"},
			{reg("a", 3, at("sip:1@nobody", 0)), 0, 0, "1@h1:3600 1@h3:3600"},
			{registration{callID: "a", cseq: 4, removeAll: true}, 0, 0, ""},
		},
		"an overtaken REGISTER changes nothing": {
			{reg("a", 5, at("sip:1@h1", time.Hour)), 0, 0, "1@h1:3600"},
			{reg("a", 5, at("sip:1@h1", 0)), 0, 500, "1@h1:3600"},
			{reg("a", 4, at("sip:1@h2", time.Hour), at("sip:1@h1", 120*time.Second)), 0, 500, "1@h1:3600"},
			{registration{callID: "a", cseq: 5, removeAll: true}, 0, 500, "1@h1:3600"},
			{reg("b", 1, at("sip:1@h1", 120*time.Second)), 0, 0, "1@h1:120"},
			{registration{callID: "c", cseq: 1, removeAll: true}, 0, 0, ""},
		},
		"one contact twice in one REGISTER is one binding": {
			{reg("a", 1, at("sip:1@h1", time.Hour), at("sip:1@h1", 120*time.Second)), 0, 0, "1@h1:120"},
			{reg("a", 2, at("sip:1@h1", time.Hour), at("sip:1@h1", 0)), 0, 0, ""},
		},
		"too short a time refuses the whole request": {
			{reg("a", 1, at("sip:1@h1", time.Hour), at("sip:1@h2", 59*time.Second)), 0, 423, ""},
			{reg("a", 2, at("sip:1@h1", 60*time.Second)), 0, 0, "1@h1:60"},
		},
		"too long a time is cut": {{reg("a", 1, at("sip:1@h1", 1000*time.Hour)), 0, 0, "1@h1:3600"}},
		"a phone that moved replaces itself by its instance": {
			{reg("a", 1, inst("sip:1@h1", "<urn:uuid:1>")), 0, 0, "1@h1:3600"},
			{reg("b", 1, inst("sip:1@h9:40000", "<urn:uuid:1>")), 0, 0, "1@h9:3600"},
			{reg("c", 1, inst("sip:1@h9", "<urn:uuid:2>")), 0, 0, "1@h9:3600 1@h9:3600"},
			{reg("d", 1, flowOf("sip:1@h1", "<urn:uuid:1>", 2)), 0, 0, "1@h9:3600 1@h9:3600 1@h1:3600"},
		},
		"a phone keeps a flow for each reg-id, though both name one contact": {
			{reg("a", 1, flowOf("sip:1@h1", "<urn:uuid:1>", 1)), 0, 0, "1@h1:3600"},
			{reg("b", 1, flowOf("sip:1@h1", "<urn:uuid:1>", 2)), 0, 0, "1@h1:3600 1@h1:3600"},
			{reg("a", 2, flowOf("sip:1@h2", "<urn:uuid:1>", 1)), time.Second, 0, "1@h1:3599 1@h2:3600"},
			{reg("c", 1, at("sip:1@h1", time.Hour)), 0, 0, "1@h1:3599 1@h2:3600 1@h1:3600"},
		},
		"the flow that is given up leaves the others": {
			{reg("a", 1, flowOf("sip:1@h1", "<urn:uuid:1>", 1)), 0, 0, "1@h1:3600"},
			{reg("b", 1, flowOf("sip:1@h2", "<urn:uuid:1>", 2)), 0, 0, "1@h1:3600 1@h2:3600"},
			{reg("a", 2, contact{uri: uri("sip:1@h1"), instance: "<urn:uuid:1>", regID: 1}), 0, 0, "1@h2:3600"},
		},
		"the oldest goes when there are too many": {
			{reg("a", 1, at("sip:1@h1", time.Hour)), 0, 0, "1@h1:3600"},
			{reg("b", 1, at("sip:1@h2", time.Hour)), 0, 0, "1@h1:3600 1@h2:3600"},
			{reg("c", 1, at("sip:1@h3", time.Hour)), 0, 0, "1@h1:3600 1@h2:3600 1@h3:3600"},
			{reg("a", 2, at("sip:1@h1", time.Hour)), 0, 0, "1@h2:3600 1@h3:3600 1@h1:3600"},
			{reg("d", 1, at("sip:1@h4", time.Hour)), 0, 0, "1@h3:3600 1@h1:3600 1@h4:3600"},
		},
		"what has expired does not come back": {
			{reg("a", 1, at("sip:1@h1", 60*time.Second)), 0, 0, "1@h1:60"},
			{reg("a", 1), 59 * time.Second, 0, "1@h1:1"},
			{reg("a", 1), time.Second, 0, ""},
			{reg("a", 1, at("sip:1@h1", 60*time.Second)), 0, 0, "1@h1:60"},
		},
		"transport and host case tell contacts apart or not": {
			{reg("a", 1, at("sip:1@Host;transport=tcp", time.Hour)), 0, 0, "1@Host:3600"},
			{reg("b", 1, at("sip:1@host;transport=TCP;x=y", time.Hour)), 0, 0, "1@host:3600"},
			{reg("c", 1, at("sip:1@host", time.Hour)), 0, 0, "1@host:3600 1@host:3600"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			lim := limits{time.Minute, time.Hour, 3}
			var have []Binding
			now := t0
			for i, s := range steps {
				now = now.Add(s.after)
				before := show(have, now)
				next, refused := apply(have, s.reg, lanFlow, false, lim, now)
				switch {
				case refused == nil && s.status == 0:
					have = next
				case refused == nil || refused.status != s.status:
					t.Fatalf("step %d: %+v, want %d", i, refused, s.status)
				case show(have, now) != before:
					t.Fatalf("step %d: a refused request changed %q to %q", i, before, show(have, now))
				}
				if got := show(have, now); got != s.want {
					t.Fatalf("step %d: %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

func show(list []Binding, now time.Time) string {
	var s []string
	for _, b := range list {
		s = append(s, fmt.Sprintf("%s@%s:%d", b.Contact.User, b.Contact.Host, int(b.Expires.Sub(now).Seconds())))
	}
	return strings.Join(s, " ")
}

// Random REGISTERs never break what must always hold.
func TestBindingsKeepTheirInvariants(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	lim := limits{time.Minute, time.Hour, 3}
	var have []Binding
	now, accepted, refusedCount := t0, 0, 0
	for range 20_000 {
		now = now.Add(time.Duration(rng.IntN(300)) * time.Second)
		r := reg(fmt.Sprint("c", rng.IntN(3)), uint32(rng.IntN(40)))
		r.removeAll = rng.IntN(30) == 0
		for range rng.IntN(4) {
			c := at(fmt.Sprintf("sip:1@h%d", rng.IntN(5)), time.Duration(rng.IntN(5000))*time.Second)
			if rng.IntN(3) == 0 {
				c.instance, c.regID = fmt.Sprint("<urn:uuid:", rng.IntN(3), ">"), rng.IntN(3)
			}
			r.contacts = append(r.contacts, c)
		}
		before := slices.Clone(have)
		next, refused := apply(have, r, lanFlow, false, lim, now)
		if !reflect.DeepEqual(before, have) {
			t.Fatal("apply changed its input")
		}
		if refused != nil {
			refusedCount++
			continue
		}
		accepted++
		if len(next) > lim.maxBindings {
			t.Fatalf("%d bindings", len(next))
		}
		instances := map[string]bool{}
		for _, b := range next {
			if left := b.Expires.Sub(now); left <= 0 || left > lim.maxExpires {
				t.Fatalf("left %v", left)
			}
			name := fmt.Sprint(b.Instance, b.RegID)
			if b.Instance != "" && instances[name] {
				t.Fatal("one flow of one instance bound twice")
			}
			instances[name] = true
		}
		if !slices.IsSortedFunc(next, func(a, b Binding) int { return a.Updated.Compare(b.Updated) }) {
			t.Fatal("not ordered by the last REGISTER")
		}
		have = next
	}
	if accepted < 1000 || refusedCount < 1000 {
		t.Fatalf("%d accepted, %d refused: the walk is one-sided", accepted, refusedCount)
	}
}

func TestBindingsComeBackFromTheJournalAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		list := make([]Binding, rng.IntN(4))
		for i := range list {
			list[i] = randomBinding(rng)
		}
		value, err := encodeBindings(list)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeBindings(value)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(normal(list), normal(back)) {
			t.Fatalf("%+v\n%+v", list, back)
		}
	}
}

// normal replaces URIs by their text, whose parameters may be nil or empty.
func normal(list []Binding) []string {
	s := make([]string, len(list))
	for i, b := range list {
		path := ""
		for j := range b.Path {
			path += b.Path[j].String() + " "
		}
		contact := b.Contact.String()
		b.Contact, b.Path = sip.Uri{}, nil
		s[i] = fmt.Sprintf("%s|%s|%+v", contact, path, b)
	}
	return s
}

func randomBinding(rng *rand.Rand) Binding {
	uris := []string{"sip:1@h", "sips:a%20b@[2001:db8::1]:5061;transport=tls", "sip:1:pw@h;ob;x=y", "sip:h:5070"}
	b := Binding{
		Contact:  uri(uris[rng.IntN(len(uris))]),
		Flow:     stack.Flow{Transport: "tcp", Local: netip.MustParseAddrPort("[::1]:5060"), Remote: netip.AddrPortFrom(addr(rng.IntN(9999)), uint16(rng.IntN(65536)))},
		Expires:  t0.Add(time.Duration(rng.Int64N(1e12))),
		Updated:  t0.Add(time.Duration(rng.Int64N(1e12))),
		CallID:   rand16(),
		CSeq:     rng.Uint32(),
		WeakAuth: rng.IntN(2) == 0, Reachable: rng.IntN(2) == 0, RTT: time.Duration(rng.IntN(1e9)),
	}
	if rng.IntN(2) == 0 {
		b.Instance, b.RegID, b.UserAgent = "<urn:uuid:"+rand16()+">", rng.IntN(3), `T "x" \ <é>`
		b.Path = []sip.Uri{uri("sip:p1;lr"), uri("sip:p2;lr")}
	}
	return b
}

func TestUnreadableJournalRecordIsAClearError(t *testing.T) {
	for name, value := range map[string]string{
		"newer version": `{"v":3,"bindings":[]}`, "no version": `{}`, "torn": `{"v":1,"bind`,
		"bad contact": `{"v":1,"bindings":[{"contact":""}]}`, "bad path": `{"v":1,"bindings":[{"contact":"sip:a@b","path":["x"]}]}`,
	} {
		if list, err := decodeBindings([]byte(value)); err == nil || list != nil {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	b := newBox(t)
	good, err := json.Marshal(record{V: 1, Bindings: []bindingRecord{{Contact: "sip:201@h", Flow: lanFlow, Expires: time.Now().Add(time.Minute)}}})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Restore(map[string][]byte{"201": good, "202": []byte(`{"v":9}`)})
	if err == nil || !strings.Contains(err.Error(), `"202"`) || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("%v", err)
	}
	if len(b.Bindings("201")) != 1 || len(b.Bindings("202")) != 0 {
		t.Error("one bad record must not cost the others")
	}
}
