package registrar

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

const snapshotVersion = 2 // 1 had the reg-id inside the instance

// record is what the hot journal keeps of one device.
type record struct {
	V        int             `json:"v"`
	Bindings []bindingRecord `json:"bindings"`
}

type bindingRecord struct {
	Contact   string        `json:"contact"`
	Instance  string        `json:"instance,omitempty"`
	RegID     int           `json:"reg_id,omitempty"`
	Flow      stack.Flow    `json:"flow"`
	Path      []string      `json:"path,omitempty"`
	Expires   time.Time     `json:"expires"`
	Updated   time.Time     `json:"updated"`
	CallID    string        `json:"call_id"`
	CSeq      uint32        `json:"cseq"`
	UserAgent string        `json:"user_agent,omitempty"`
	WeakAuth  bool          `json:"weak_auth,omitempty"`
	Reachable bool          `json:"reachable"`
	RTT       time.Duration `json:"rtt,omitempty"` // nanoseconds
}

func encodeBindings(list []Binding) ([]byte, error) {
	rec := record{V: snapshotVersion, Bindings: make([]bindingRecord, len(list))}
	for i, b := range list {
		var path []string
		for j := range b.Path {
			path = append(path, b.Path[j].String())
		}
		rec.Bindings[i] = bindingRecord{
			b.Contact.String(), b.Instance, b.RegID, b.Flow, path, b.Expires, b.Updated, b.CallID, b.CSeq,
			b.UserAgent, b.WeakAuth, b.Reachable, b.RTT,
		}
	}
	return json.Marshal(rec)
}

func decodeBindings(value []byte) ([]Binding, error) {
	var rec record
	if err := json.Unmarshal(value, &rec); err != nil {
		return nil, fmt.Errorf("read bindings: %w", err)
	}
	if rec.V != 1 && rec.V != snapshotVersion {
		return nil, fmt.Errorf("bindings are of version %d, this program reads %d", rec.V, snapshotVersion)
	}
	list := make([]Binding, len(rec.Bindings))
	for i, b := range rec.Bindings {
		list[i] = Binding{
			Instance: b.Instance, RegID: b.RegID, Flow: b.Flow, Expires: b.Expires, Updated: b.Updated, CallID: b.CallID,
			CSeq: b.CSeq, UserAgent: b.UserAgent, WeakAuth: b.WeakAuth, Reachable: b.Reachable, RTT: b.RTT,
		}
		if urn, id, joined := strings.Cut(b.Instance, ";reg-id="); rec.V == 1 && joined {
			list[i].Instance = urn
			list[i].RegID, _ = strconv.Atoi(id)
		}
		if err := sip.ParseUri(b.Contact, &list[i].Contact); err != nil {
			return nil, fmt.Errorf("contact %q: %w", b.Contact, err)
		}
		for _, p := range b.Path {
			var u sip.Uri
			if err := sip.ParseUri(p, &u); err != nil {
				return nil, fmt.Errorf("path %q: %w", p, err)
			}
			list[i].Path = append(list[i].Path, u)
		}
	}
	return list, nil
}
