package document

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Direction says who began a dialog (RFC 4235 section 4.1.2).
type Direction string

// The directions, seen from the watched number.
const (
	Initiator Direction = "initiator" // the watched number called
	Recipient Direction = "recipient" // it was called
)

// DialogState is where a dialog stands (RFC 4235 section 3.7.1).
type DialogState string

// The states.
const (
	Trying     DialogState = "trying"     // called, nothing heard yet
	Proceeding DialogState = "proceeding" // an answer without a tag has come
	Early      DialogState = "early"      // it rings
	Confirmed  DialogState = "confirmed"  // they talk
	Terminated DialogState = "terminated"
)

// Dialog is one call of a watched number. CallID and the tags are those of the SIP dialog between
// the box and the phone of the watched number, seen from the box, at which the number lives: who
// sends it an INVITE with Replaces of them, LocalTag as the to-tag, takes the call (RFC 3891 section
// 3). They are left out when CallID is empty.
type Dialog struct {
	ID                          string // stays the same for as long as the dialog lives
	Direction                   Direction
	State                       DialogState
	RemoteNumber                tel.Number // empty: withheld
	RemoteName                  string
	CallID, LocalTag, RemoteTag string
}

// Watched is a number as its document names it.
type Watched struct {
	Number string
	Name   string
	Host   string // of the URIs of the document, with its port where that is not 5060
}

// DialogInfo is the full state of a number's dialogs (RFC 4235 section 4.1). gone are the dialogs
// that an earlier document has named and that are no more: they are told once as terminated.
func DialogInfo(of Watched, version uint32, dialogs []Dialog, gone []string) []byte {
	var b strings.Builder
	entity := URI(of.Number, of.Host)
	fmt.Fprintf(&b, header+`<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="%d" state="full" entity="%s">`+"\n", version, text(entity))
	for _, d := range dialogs {
		fmt.Fprintf(&b, `<dialog id="%s"`, text(d.ID))
		if d.CallID != "" {
			attribute(&b, "call-id", d.CallID)
			attribute(&b, "local-tag", d.LocalTag)
			attribute(&b, "remote-tag", d.RemoteTag)
		}
		attribute(&b, "direction", string(d.Direction))
		fmt.Fprintf(&b, ">\n<state>%s</state>\n", text(string(d.State)))
		party(&b, "local", of.Name, entity)
		name := d.RemoteName
		if d.RemoteNumber == "" && name == "" {
			name = "Anonymous"
		}
		party(&b, "remote", name, URI(string(d.RemoteNumber), of.Host))
		b.WriteString("</dialog>\n")
	}
	for _, id := range gone {
		fmt.Fprintf(&b, "<dialog id=\"%s\">\n<state>%s</state>\n</dialog>\n", text(id), Terminated)
	}
	b.WriteString("</dialog-info>\n")
	return []byte(b.String())
}

func attribute(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, ` %s="%s"`, name, text(value))
	}
}

func party(b *strings.Builder, role, name, uri string) {
	fmt.Fprintf(b, "<%s>\n<identity", role)
	attribute(b, "display", name)
	fmt.Fprintf(b, ">%s</identity>\n<target uri=\"%s\"/>\n</%s>\n", text(uri), text(uri), role)
}

// Lamp is the dialog by which a key for something that is no phone (a forced opening, a login, a
// park slot) shows light: talking is on, ringing is blinking, none is dark.
func Lamp(on, blink bool) []Dialog {
	d := Dialog{ID: "lamp", Direction: Recipient, State: Confirmed}
	switch {
	case blink:
		d.State = Early
	case !on:
		return nil
	}
	return []Dialog{d}
}

// Alive are the ids of dialogs, sorted, those left out that have ended.
func Alive(dialogs []Dialog) []string {
	var ids []string
	for _, d := range dialogs {
		if d.State != Terminated {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
