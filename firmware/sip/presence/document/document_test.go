package document

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var anna = Watched{Number: "201", Name: "Anna", Host: "192.0.2.1"}

// dialogInfo reads the document as another program would: by its names and its namespace.
type dialogInfo struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version uint32   `xml:"version,attr"`
	State   string   `xml:"state,attr"`
	Entity  string   `xml:"entity,attr"`
	Dialogs []struct {
		ID        string `xml:"id,attr"`
		CallID    string `xml:"call-id,attr"`
		LocalTag  string `xml:"local-tag,attr"`
		RemoteTag string `xml:"remote-tag,attr"`
		Direction string `xml:"direction,attr"`
		State     string `xml:"state"`
		Local     side   `xml:"local"`
		Remote    side   `xml:"remote"`
	} `xml:"dialog"`
}

type side struct {
	Identity struct {
		Display string `xml:"display,attr"`
		URI     string `xml:",chardata"`
	} `xml:"identity"`
	Target struct {
		URI string `xml:"uri,attr"`
	} `xml:"target"`
}

func read[T any](t *testing.T, doc []byte) T {
	t.Helper()
	var v T
	if err := xml.Unmarshal(doc, &v); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return v
}

// RFC 4235 section 6.1: an INVITE that rings at the watched number.
func TestDialogInfoNamesBothPartiesAndTheDialogToPickUp(t *testing.T) {
	ringing := Dialog{
		ID: "as7d900as8", Direction: Recipient, State: Early, RemoteNumber: "+393331234567", RemoteName: `Mario "Rossi" & Figli`,
		CallID: "a84b4c76e66710", LocalTag: "1928301774", RemoteTag: "hh76a",
	}
	doc := read[dialogInfo](t, DialogInfo(anna, 7, []Dialog{ringing}, []string{"older"}))
	if doc.Version != 7 || doc.State != "full" || doc.Entity != "sip:201@192.0.2.1" || len(doc.Dialogs) != 2 {
		t.Fatalf("%+v", doc)
	}
	d := doc.Dialogs[0]
	if d.ID != "as7d900as8" || d.CallID != "a84b4c76e66710" || d.LocalTag != "1928301774" || d.RemoteTag != "hh76a" || d.Direction != "recipient" || d.State != "early" {
		t.Errorf("dialog %+v", d)
	}
	if d.Remote.Identity.Display != `Mario "Rossi" & Figli` || d.Remote.Identity.URI != "sip:+393331234567@192.0.2.1" || d.Remote.Target.URI != d.Remote.Identity.URI {
		t.Errorf("remote party %+v", d.Remote)
	}
	if d.Local.Identity.Display != "Anna" || d.Local.Identity.URI != "sip:201@192.0.2.1" || d.Local.Target.URI != "sip:201@192.0.2.1" {
		t.Errorf("local party %+v", d.Local)
	}
	if g := doc.Dialogs[1]; g.ID != "older" || g.State != "terminated" {
		t.Errorf("the dialog that has ended is told as %+v", g)
	}
}

func TestWithheldCallerIsAnonymousInDialogInfo(t *testing.T) {
	doc := read[dialogInfo](t, DialogInfo(anna, 0, []Dialog{{ID: "1", Direction: Recipient, State: Confirmed}}, nil))
	if r := doc.Dialogs[0].Remote; r.Identity.URI != "sip:anonymous@anonymous.invalid" || r.Identity.Display != "Anonymous" {
		t.Errorf("%+v", r)
	}
}

func TestLampOfAKeyIsADialogThatPhonesShow(t *testing.T) {
	for _, c := range []struct {
		on, blink bool
		want      string
	}{{false, false, "[]"}, {true, false, "[confirmed]"}, {true, true, "[early]"}, {false, true, "[early]"}} {
		var states []DialogState
		for _, d := range Lamp(c.on, c.blink) {
			states = append(states, d.State)
		}
		if got := fmt.Sprint(states); got != c.want {
			t.Errorf("on %v, blink %v: %s, want %s", c.on, c.blink, got, c.want)
		}
	}
}

func TestAliveLeavesOutWhatHasEnded(t *testing.T) {
	got := Alive([]Dialog{{ID: "b", State: Early}, {ID: "c", State: Terminated}, {ID: "a", State: Confirmed}})
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v", got)
	}
}

// The counts are those of the example in RFC 3842 section 3.5.
func TestRFC3842Section35SummaryCountsNewOldAndUrgent(t *testing.T) {
	want := "Messages-Waiting: yes\r\nMessage-Account: sip:201@192.0.2.1\r\nVoice-Message: 2/8 (0/2)\r\n"
	if got := string(Summary(anna, Messages{New: 2, Old: 8, UrgentOld: 2})); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := string(Summary(anna, Messages{Old: 3})); !strings.HasPrefix(got, "Messages-Waiting: no\r\n") {
		t.Errorf("old messages light the lamp: %q", got)
	}
}

func TestPresenceTellsOpenOrClosedAndWhy(t *testing.T) {
	type pidf struct {
		XMLName xml.Name `xml:"urn:ietf:params:xml:ns:pidf presence"`
		Entity  string   `xml:"entity,attr"`
		Tuple   struct {
			Basic string `xml:"status>basic"`
			Note  string `xml:"note"`
		} `xml:"tuple"`
	}
	closed := read[pidf](t, PIDF(anna, Presence{Note: "Paused: <lunch>"}))
	if closed.Entity != "sip:201@192.0.2.1" || closed.Tuple.Basic != "closed" || closed.Tuple.Note != "Paused: <lunch>" {
		t.Errorf("%+v", closed)
	}
	if open := read[pidf](t, PIDF(anna, Presence{Open: true})); open.Tuple.Basic != "open" || open.Tuple.Note != "" {
		t.Errorf("%+v", open)
	}
}

func TestRegInfoListsWhereAnAccountIsRegistered(t *testing.T) {
	type reginfo struct {
		XMLName      xml.Name `xml:"urn:ietf:params:xml:ns:reginfo reginfo"`
		Version      uint32   `xml:"version,attr"`
		Registration struct {
			AOR     string `xml:"aor,attr"`
			State   string `xml:"state,attr"`
			Contact []struct {
				ID      string `xml:"id,attr"`
				State   string `xml:"state,attr"`
				Event   string `xml:"event,attr"`
				Expires int    `xml:"expires,attr"`
				CSeq    uint32 `xml:"cseq,attr"`
				URI     string `xml:"uri"`
			} `xml:"contact"`
		} `xml:"registration"`
	}
	doc := read[reginfo](t, RegInfo(anna, 3, []Contact{{ID: "c1", URI: "sip:201@198.51.100.7;line=1&2", CallID: "x", CSeq: 9, Left: 90 * time.Second}}))
	if doc.Version != 3 || doc.Registration.AOR != "sip:201@192.0.2.1" || doc.Registration.State != "active" || len(doc.Registration.Contact) != 1 {
		t.Fatalf("%+v", doc)
	}
	if c := doc.Registration.Contact[0]; c.ID != "c1" || c.State != "active" || c.Event != "registered" || c.Expires != 90 || c.CSeq != 9 || c.URI != "sip:201@198.51.100.7;line=1&2" {
		t.Errorf("%+v", c)
	}
	if none := read[reginfo](t, RegInfo(anna, 4, nil)); none.Registration.State != "init" {
		t.Errorf("%+v", none)
	}
}

func TestURIEscapesWhatAUserPartMayNotHold(t *testing.T) {
	for number, want := range map[string]string{
		"*21#": "sip:*21%23@box", "+39": "sip:+39@box", "a b@c": "sip:a%20b%40c@box", "": "sip:anonymous@anonymous.invalid",
	} {
		if got := URI(number, "box"); got != want {
			t.Errorf("%q: %s, want %s", number, got, want)
		}
	}
	if got := URI("201", "fd00::1"); got != "sip:201@[fd00::1]" {
		t.Errorf("IPv6: %s", got)
	}
}

// Names come from outside; whatever they hold, the document stays one and says the same.
func FuzzDialogInfo(f *testing.F) {
	f.Add("Mario", "+39333", "id", "call")
	f.Add("<x>&\"'\x00\xff", "", "\"/>", "]]>")
	f.Fuzz(func(t *testing.T, name, number, id, callID string) {
		doc := read[dialogInfo](t, DialogInfo(anna, 1, []Dialog{{ID: id, State: Early, Direction: Recipient, RemoteName: name, RemoteNumber: tel.Number(number), CallID: callID}}, []string{id}))
		if len(doc.Dialogs) != 2 || doc.Dialogs[0].State != "early" || doc.Dialogs[1].State != "terminated" {
			t.Errorf("%+v", doc)
		}
	})
}
