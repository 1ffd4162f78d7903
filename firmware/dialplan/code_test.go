package dialplan

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestEachFeatureCodeDoesWhatTheTableSays(t *testing.T) {
	p := site(t)
	p.Personal.People = map[tel.AgentID]Person{"anna": {Speed: map[string]tel.Number{"07": "3331234567", "08": "118", "09": "00442071234567"}}}
	for _, c := range []struct {
		device tel.DeviceID
		dialed tel.Number
		want   string
	}{
		{"201", "*41", "login anna"},
		{"201", "*410", "logout anna"},
		{"201", "*42", "pause anna"},
		{"201", "*42#", "pause anna"},
		{"201", "*423", "pause anna 3"},
		{"201", "*420", "resume anna"},
		{"201", "*44", "finish_wrap_up anna"},
		{"201", "*440", "extend_wrap_up anna"},
		{"201", "*47", "help anna"},
		{"201", "#47", "help_done anna"},
		{"201", "*48301", "queue_enter anna sales"},
		{"201", "#48301", "queue_leave anna sales"},
		{"201", "#48302", "reject unallocated unknown_number"},
		{"door", "*47", "reject forbidden nobody_at_this_phone"},
		{"201", "*41201", "login_here anna"},
		{"201", "*41202", "ask_pin 202"},
		{"door", "*41202", "ask_pin 202"},
		{"nobody", "*41202", "ask_pin 202"},
		{"201", "*41205", "reject forbidden class_not_allowed"}, // she has no PIN
		{"201", "*78", "set dnd anna on"},
		{"201", "*79", "set dnd anna"},
		{"201", "*26", "set call_waiting anna on"},
		{"201", "#26", "set call_waiting anna"},
		{"201", "*21202", "set forward anna always ext:202 on"},
		{"201", "*213331234567", "set forward anna always outside:3331234567 on"},
		{"201", "*21*3331234567#", "set forward anna always outside:3331234567 on"},
		{"201", "*21301", "set forward anna always queue:sales on"},
		{"201", "#21", "set forward anna always"},
		{"201", "#21#", "set forward anna always"},
		{"201", "*67202", "set forward anna busy ext:202 on"},
		{"201", "#67", "set forward anna busy"},
		{"201", "*61202", "set forward anna no_answer ext:202 on"},
		{"201", "#61", "set forward anna no_answer"},
		{"201", "*62202", "set forward anna unreachable ext:202 on"},
		{"201", "#62", "set forward anna unreachable"},
		{"201", "*21201", "reject forbidden class_not_allowed"},
		{"201", "*21703", "reject forbidden class_not_allowed"},
		{"201", "*21112", "reject forbidden emergency_is_no_destination"},
		{"201", "*2100442071234567", "reject forbidden class_not_allowed"},
		{"202", "*2100442071234567", "set forward boss always outside:00442071234567 on"},
		{"202", "*21899123456", "reject forbidden class_not_allowed"}, // a PIN opens one call, not a forward
		{"205", "*213331234567", "reject forbidden class_not_allowed"},
		{"201", "*8", "pickup 202"},
		{"201", "*8202", "pickup 202"},
		{"205", "*8", "reject forbidden nothing_to_do"},
		{"201", "*70", "park"},
		{"201", "*80202", "intercom 202"},
		{"201", "*80204", "reject unreachable no_phone"},
		{"201", "*51202", "listen boss"},
		{"201", "*52202", "whisper boss"},
		{"201", "*53202", "barge boss"},
		{"201", "*54202", "take_over boss"},
		{"201", "*51203", "reject unallocated nobody_at_this_phone"},
		{"201", "*51", "reject unallocated unknown_number"},
		{"door", "*51202", "reject forbidden nobody_at_this_phone"},
		{"201", "*37", "call_when_free"},
		{"201", "#37", "stop_when_free"},
		{"201", "*97", "messages 201"},
		{"205", "*97", "reject unallocated nothing_to_do"},
		{"201", "*98202", "messages 202"},
		{"201", "*98205", "reject unallocated nothing_to_do"},
		{"202", "*98201", "messages 201"},
		{"201", "*99202", "voicemail 202"},
		{"201", "*99205", "reject unallocated unknown_number"},
		{"201", "*007", "outside mobile line:gsm0=3331234567 trunk:tim=3331234567"},
		{"201", "*008", "emergency 118 line:fxo0=118 trunk:tim=118 line:gsm0=118"},
		{"201", "*009", "reject forbidden class_not_allowed"},
		{"201", "*010", "reject unallocated nothing_to_do"},
		{"201", "*75070287654321", "set speed_dial anna 07 0287654321 on"},
		{"201", "#7507", "set speed_dial anna 07"},
		{"201", "*750700442071234567", "reject forbidden class_not_allowed"},
		{"201", "*7508112", "set speed_dial anna 08 112 on"},
		{"201", "#31#0287654321", "outside hidden local trunk:tim=0287654321 line:gsm0=0287654321"},
		{"201", "#31#202", "ring 202 line:gsm0=3337654321trunk:tim=3337654321@15s"}, // inside there is nothing to hide
		{"201", "#31#112", "emergency 112 line:fxo0=112 trunk:tim=112 line:gsm0=112"},
		{"201", "#31#00442071234567", "reject forbidden class_not_allowed"},
		{"201", "*30", "set block anna 0999999 on"},
		{"201", "*31024444444", "set block anna 024444444 on"},
		{"201", "#30024444444", "set block anna 024444444"},
		{"201", "*28", "set hours anna office open"},
		{"201", "*292", "set hours anna direct closed"},
		{"201", "*271", "set hours anna office"},
		{"201", "*283", "reject unallocated nothing_to_do"},
		{"202", "*28", "reject forbidden not_for_this_person"},
		{"201", "*7712", "record_prompt 12"},
		{"202", "*7712", "reject forbidden not_for_this_person"},
		{"201", "*43", "echo"},
		{"door", "*45", "milliwatt"},
		{"door", "*46", "prompt_test"},
		{"201", "*11202", "ask_pin 202"},
		{"201", "*11201", "reject forbidden class_not_allowed"},
		{"201", "#11", "reject unallocated nothing_to_do"},
		{"nobody", "*11202", "ask_pin 202"},
		{"nobody", "*43", "echo"},
		{"nobody", "*78", "reject forbidden unknown_phone"},
		{"nobody", "*8202", "reject forbidden unknown_phone"},
		{"door", "*78", "reject forbidden nobody_at_this_phone"},
		{"door", "*80202", "reject forbidden class_not_allowed"},
	} {
		if got := brief(Route(p, Request{Device: c.device, Dialed: c.dialed, At: monday, Last: "0999999"})); got != c.want {
			t.Errorf("%s dials %s: %s, want %s", c.device, c.dialed, got, c.want)
		}
	}
	if got := brief(Route(p, Request{Device: "201", Dialed: "*30", At: monday})); got != "reject unallocated nothing_to_do" {
		t.Errorf("nobody called: %s", got)
	}
}

func TestEveryCodeHasAnActionOfItsOwnAndNoneHidesAnother(t *testing.T) {
	seen := map[Action]bool{}
	for _, c := range Codes() {
		if seen[c.Action] || c.Key() != "code."+string(c.Action) {
			t.Errorf("%s %s", c.Action, c.Key())
		}
		seen[c.Action] = true
	}
	for a, b := range behind {
		if !seen[a] {
			t.Errorf("%s has %s behind it and no code", a, b)
		}
	}
	for a := range settings {
		if !seen[a] {
			t.Errorf("%s is a setting without a code", a)
		}
	}
	if err := site(t).Validate([]tel.QueueID{"sales"}); err != nil {
		t.Error(err)
	}
	p := site(t)
	p.Extensions = append(p.Extensions, Extension{Number: "0201"})
	if err := p.Validate([]tel.QueueID{"sales"}); err == nil || !strings.Contains(err.Error(), "*80201 for pickup would mean intercom") {
		t.Errorf("an extension whose pickup code means intercom: %v", err)
	}
}

func TestAPINOpensOneCallASeatAndAMailbox(t *testing.T) {
	p := site(t)
	dial := func(dev tel.DeviceID, n tel.Number, pin string) Decision {
		return Route(p, Request{Device: dev, Dialed: n, PIN: pin, At: monday})
	}
	if got := brief(dial("202", "899123456", "4711")); !strings.HasPrefix(got, "outside premium ") {
		t.Errorf("premium with the PIN: %s", got)
	}
	wrong := dial("202", "899123456", "4712")
	if brief(wrong) != "reject forbidden wrong_pin" || wrong.Change.Kind != WrongPIN {
		t.Errorf("with a wrong PIN: %+v", wrong)
	}
	if got := brief(dial("201", "899123456", "4711")); got != "reject forbidden class_not_allowed" {
		t.Errorf("somebody else's PIN: %s", got)
	}
	if got := brief(dial("201", "*98202", "4711")); got != "messages 202" {
		t.Errorf("another mailbox: %s", got)
	}
	seat := dial("door", "*11202", "4711")
	if got := brief(seat); got != "set sit boss" || seat.Change.Device != "door" {
		t.Errorf("a seat: %s %+v", got, seat.Change)
	}
	p.Personal = p.Personal.With(seat.Change)
	for _, c := range []struct{ what, got, want string }{
		{"the seat has its person's rights", brief(dial("door", "00442071234567", "")), "outside international trunk:tim=+442071234567"},
		{"calls for the person ring at both", brief(dial("201", "202", "")), "ring 202,door line:gsm0=3337654321trunk:tim=3337654321@15s"},
		{"calls for the door do not disturb", brief(dial("201", "203", "")), "reject unreachable no_phone"},
		{"the seat is left", brief(dial("door", "#11", "")), "set leave boss"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
	p.Personal = p.Personal.With(Change{Kind: Sit, Agent: "boss", Device: "205"})
	if len(p.Personal.Seats) != 1 || p.Personal.Seats["205"] != "boss" {
		t.Errorf("one person has two seats: %v", p.Personal.Seats)
	}
	p.Personal = Personal{}
	for range maxWrongPINs {
		p.Personal = p.Personal.With(dial("202", "899123456", "0000").Change)
	}
	if got := brief(dial("202", "899123456", "4711")); got != "reject forbidden pin_locked" {
		t.Errorf("after five wrong PINs: %s", got)
	}
	if got := brief(dial("202", "118", "")); !strings.HasPrefix(got, "emergency") {
		t.Errorf("118 from a locked phone: %s", got)
	}
	if got := brief(Route(p, Request{Device: "202", Dialed: "899123456", PIN: "4711", At: monday.Add(pinPenalty)})); !strings.HasPrefix(got, "outside") {
		t.Errorf("ten minutes later: %s", got)
	}
}

func TestAKeyWatchesWhatItsNumberMeans(t *testing.T) {
	p := site(t)
	p.Personal = p.Personal.With(Change{Kind: DND, Agent: "anna", On: true}).With(Change{Kind: ForceHours, Hours: "office", Override: ForceClosed})
	for n, want := range map[tel.Number]Watch{
		"202": {Kind: WatchExtension, Number: "202", Agent: "boss"}, "701": {Kind: WatchSlot, Number: "701"}, "301": {}, "*43": {}, "999": {}, "": {},
		"*78": {Kind: WatchDND, Agent: "anna", On: true}, "*21202": {Kind: WatchForward, Agent: "anna"},
		"*28": {Kind: WatchHours, Hours: "office"}, "*291": {Kind: WatchHours, Hours: "office", On: true}, "*292": {Kind: WatchHours, Hours: "direct"},
	} {
		if got := p.Watched("201", n); got != want {
			t.Errorf("%s: %+v, want %+v", n, got, want)
		}
	}
	p.Personal = p.Personal.With(Change{Kind: Forward, When: Always, Agent: "anna", To: "ext:202", On: true})
	if !p.Watched("201", "*21202").On {
		t.Error("the key of an active forward is dark")
	}
}

func TestWhatACodeChangesIsKeptAndNothingElse(t *testing.T) {
	at := monday
	start := Personal{}
	changes := []Change{
		{Kind: DND, Agent: "anna", On: true},
		{Kind: CallWaiting, Agent: "anna"},
		{Kind: Forward, When: Always, Agent: "anna", To: "ext:202", On: true},
		{Kind: Forward, When: OnBusy, Agent: "anna", To: "ext:202", On: true},
		{Kind: Forward, When: OnNoAnswer, Agent: "anna", To: "ext:202", On: true},
		{Kind: Forward, When: OnUnreachable, Agent: "anna", To: "ext:202", On: true},
		{Kind: Speed, Agent: "anna", Slot: "07", Number: "112", On: true},
		{Kind: Blocking, Agent: "anna", Number: "024444444", On: true},
		{Kind: ForceHours, Hours: "office", Override: ForceOpen},
		{Kind: Sit, Agent: "anna", Device: "205"},
	}
	s := start
	for _, c := range changes {
		s = s.With(c)
	}
	a := s.People["anna"]
	if !a.DND || !a.NoWaiting || a.Forward != (Forwards{"ext:202", "ext:202", "ext:202", "ext:202"}) || a.Speed["07"] != "112" || len(a.Blocked) != 1 ||
		s.Hours["office"] != ForceOpen || s.Seats["205"] != "anna" {
		t.Errorf("after all changes: %+v", s)
	}
	if start.People != nil || start.Seats != nil || start.Hours != nil {
		t.Errorf("the first value changed: %+v", start)
	}
	for _, c := range changes {
		c.On = c.Kind == CallWaiting
		c.Override = Auto
		if c.Kind == Sit {
			c.Kind = Leave
		}
		s = s.With(c)
	}
	if len(s.People)+len(s.Hours)+len(s.Seats) != 0 {
		t.Errorf("taken back, something is left: %+v", s)
	}
	for _, c := range []Change{{}, {Kind: DND, On: true}, {Kind: Sit, Agent: "anna"}, {Kind: ForceHours, Override: ForceOpen}, {Kind: WrongPIN, At: at}, {Kind: "x", Agent: "anna"}} {
		if s := (Personal{}).With(c); len(s.People)+len(s.Hours)+len(s.Seats)+len(s.Wrong) != 0 {
			t.Errorf("%+v makes %+v", c, s)
		}
	}
	for i := range 3 * maxBlocked {
		s = s.With(Change{Kind: Blocking, Agent: "anna", Number: tel.Number("02" + string(rune('0'+i%10)) + time.Duration(i).String()), On: true})
	}
	if n := len(s.People["anna"].Blocked); n > maxBlocked {
		t.Errorf("%d numbers are blocked", n)
	}
}

func TestWhatBelongsToNobodyIsDropped(t *testing.T) {
	p := site(t)
	s := Personal{}.With(Change{Kind: DND, Agent: "anna", On: true}).With(Change{Kind: DND, Agent: "gone", On: true}).
		With(Change{Kind: ForceHours, Hours: "old", Override: ForceOpen}).With(Change{Kind: ForceHours, Hours: "office", Override: ForceOpen}).
		With(Change{Kind: Sit, Agent: "gone", Device: "205"}).With(Change{Kind: Sit, Agent: "boss", Device: "lost"}).
		With(Change{Kind: WrongPIN, Device: "lost", At: monday})
	kept, unchanged := s.Without(p, []tel.DeviceID{"201", "205"})
	if unchanged || len(kept.People) != 1 || len(kept.Hours) != 1 || len(kept.Seats) != 0 || len(kept.Wrong) != 0 || len(s.People) != 2 {
		t.Errorf("kept %+v of %+v", kept, s)
	}
	if again, unchanged := kept.Without(p, []tel.DeviceID{"201", "205"}); !unchanged || len(again.People) != 1 {
		t.Errorf("the second time something changed: %+v", again)
	}
}
