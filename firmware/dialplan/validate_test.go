package dialplan

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestAFaultyPlanIsToldAllItsFaultsAtOnce(t *testing.T) {
	p := Plan{
		Extensions: []Extension{
			{Number: "112", Devices: []tel.DeviceID{"a"}},
			{Number: "201", Devices: []tel.DeviceID{"a"}, Follow: []FollowStep{{"ext:201", 0}, {"queue:sales", 0}, {"outside:3331234567", time.Hour}}},
			{Number: "201", Allow: []Class{"lunar"}},
			{Number: "2x1"},
			{Number: "204", PIN: "1111", PINAllow: []Class{"lunar"}, Ring: time.Hour},
			{Number: "205", PINAllow: []Class{Premium}, Forward: Forwards{Busy: "outside:00442071234567", Always: "ext:206", NoAnswer: "outside:112"}},
			{Number: "206", Forward: Forwards{Always: "ext:205", Unreachable: "voicemail:206"}, Blocked: []string{"x", "*"}, Anonymous: "sometimes"},
			{Number: "705"},
		},
		Groups: []Group{
			{ID: "g", Number: "206"},
			{ID: "g", Members: []Member{{"menu:main", 0}, {"ext:999", -1}}, NoAnswer: "nowhere"},
		},
		Queues:  []QueueNumber{{"301", "ghost"}},
		Slots:   Slots{"701", "720"},
		Codes:   []Code{{"43", Echo}, {"*44", Queue}, {"*1", Pickup}, {"*12", Echo}, {"*5", Login}, {"*5", Logout}, {"*1201", Park}},
		Inbound: []Inbound{{Via: "tim", To: "ext:999"}},
		Outlets: []Outlet{{Via: "modem", Prices: map[Class]tel.Money{"lunar": 1}}},
		Routes: []OutsideRoute{
			{Via: []string{"trunk:x"}, Form: "roman", Strip: -1}, {}, {Pattern: "+39Q"}, {Pattern: "X", Prefix: "1", People: []tel.Number{"999"}, Hours: "never"},
		},
		Hours: []Hours{
			{Key: 12, Open: []Span{{[]time.Weekday{9}, 25 * time.Hour, 0}, {nil, 0, time.Hour}}},
			{ID: "a", Then: "hours:b", Exceptions: []Exception{{From: Date{2026, 2, 1}, To: Date{0, 2, 1}}}},
			{ID: "b", Then: "say:closed", Closed: "hours:a"},
		},
		EmergencyTest: "outside:3331234567",
		VIP:           []string{"anna"},
	}
	err := p.Validate(nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, path := range []string{
		"extensions[0].number: 112 would hide", "extensions[1].devices", "extensions[2].number: 201 is already taken",
		"extensions[1].follow[0].to: 201 would ring itself", "extensions[1].follow[1].to", "extensions[1].follow[2].after",
		"extensions[2].allow", "extensions[3].number", "extensions[4].pin: use", "extensions[4].pin_allow", "extensions[4].ring",
		"extensions[5].pin: missing", "extensions[5].forward.busy: 205 may not dial", "extensions[5].forward.no_answer: calls cannot be sent to the emergency",
		"extensions[6].forward.unreachable", "extensions[6].blocked[0]", "extensions[6].blocked[1]", "extensions[6].anonymous",
		"extensions[7].number: 705 lies among the parking slots", "ext:205: the chain", "ext:206: the chain",
		"groups[0].number: 206 is already taken", "groups[0].members", "groups[1]: id", "groups[1].members[0].to", "groups[1].members[1].to",
		"groups[1].members[1].after", "groups[1].no_answer",
		"queues[0]: no queue", "codes[0].code", "codes[1].action", "codes[5].code: *5 is login already", "codes[2].code: *1201 for pickup would mean park",
		"inbound[0].via", "inbound[0].to", "outlets[0]", "outlets[0].prices", "routes[0].via", "routes[0].form", "routes[0].strip", "routes[1].via",
		"routes[2].pattern", "routes[3].pattern", "routes[3].people", "routes[3].hours",
		"hours[0]: id", "hours[0].key", "hours[0].open[0]: no weekday", "hours[0].open[0]: 25h", "hours[0].open[1]: names no day", "hours[0].then",
		"hours[1].exceptions[0]", "hours:a: the chain", "emergency_test", "plan.vip.blocked[0]",
	} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("no word about %s", path)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestDestinationsOfOtherPartsAreChecked(t *testing.T) {
	queues := []tel.QueueID{"sales"}
	for to, ok := range map[string]bool{
		"queue:sales": true, "ext:201": true, "group:all": true, "menu:main": true, "hours:office": true, "conference:hall": true, "voicemail:201": true,
		"outside:3331234567": true, "say:closed": true, "echo": true, "hangup": true,
		"queue:ghost": false, "ext:777": false, "group:x": false, "menu:x": false, "hours:x": false, "conference:x": false, "voicemail:203": false, "voicemail:777": false,
		"outside:112": false, "outside:+39112": false, "outside:12": false, "say": false, "echo:1": false, "hangup:": false, "": false, "park": false, "ext:": false,
	} {
		if err := site(t).ValidateDestination(to, queues); (err == nil) != ok {
			t.Errorf("%q: %v", to, err)
		}
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{"queue:sales", "echo", "ext:", "outside:+39", "hangup:x", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDestination(s)
		if err == nil && d.String() != s {
			t.Fatalf("%q is read as %q", s, d)
		}
	})
}
