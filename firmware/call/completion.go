package call

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// completionKind is the kind of the wishes in the hot journal; the key is the party that wishes.
const completionKind = "completion"

const (
	wishLife   = time.Hour        // how long somebody waits to be called back
	wishRing   = 25 * time.Second // how long the phone of who wished rings
	wishPause  = 3 * time.Second  // between the end of a call and the ring: the person may dial again
	wishesMost = 200
)

// wish is one completion on busy: the party is called as soon as it and the number's phones are free.
type wish struct {
	Number  tel.Number     `json:"number"`
	Devices []tel.DeviceID `json:"devices"`
	Until   time.Time      `json:"until"`
}

// completion is what the exchange remembers of busy numbers and who wants them; the exchange's mutex
// guards it.
type completion struct {
	busy   map[string]tel.Number // by party: the last number that was busy
	wishes map[string]wish       // by party: one each, the latest
}

// The input and the effect of completion on busy.
type (
	// DoWhenFree notes, or takes back, the wish of the caller for the last number that was busy.
	DoWhenFree struct{ Cancel bool }
	// WhenFree answers DoWhenFree.
	WhenFree struct{ OK bool }
)

func (DoWhenFree) effect() {}

// whenFree tells the caller by a tone that the wish is noted, or turns it away.
func (st *step) whenFree(ok bool) {
	s := st.s
	if !ok {
		st.refuse(tel.CauseUnallocated)
		return
	}
	st.accept()
	st.stage(tel.StageGreeting)
	s.HangAfter = true
	st.do(DoPlay{s.Caller.ID, Sound{Names: []string{"tone_confirm"}}})
}

// wishFor notes that the party wants the last number that was busy, or takes every wish of it back.
func (x *Exchange) wishFor(party string, plan Plan, cancel bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if cancel {
		delete(x.completion.wishes, party)
		x.keepWish(party)
		return true
	}
	n := x.completion.busy[party]
	devices := plan.Phones(n)
	if n == "" || len(devices) == 0 || len(x.completion.wishes) >= wishesMost {
		return false
	}
	x.completion.wishes[party] = wish{n, devices, time.Now().Add(wishLife)}
	x.keepWish(party)
	time.AfterFunc(wishPause, x.grant) // it may have become free meanwhile
	return true
}

// keepWish writes a party's wish into the hot journal; called with mu held.
func (x *Exchange) keepWish(party string) {
	j := x.cfg.Journal
	if j == nil {
		return
	}
	var err error
	if w, ok := x.completion.wishes[party]; ok {
		var b []byte
		if b, err = json.Marshal(w); err == nil {
			err = j.Put(completionKind, party, b)
		}
	} else {
		err = j.Delete(completionKind, party)
	}
	if err != nil {
		x.cfg.Log.Warn("a wish to be called back would not survive a crash", "party", party, "err", err)
	}
}

// RestoreWishes takes up the wishes of the process before.
func (x *Exchange) RestoreWishes(kept map[string][]byte) []error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for party, b := range kept {
		var w wish
		if err := json.Unmarshal(b, &w); err != nil {
			errs = append(errs, fmt.Errorf("restore the wish of %s: %w", party, err))
			continue
		}
		x.completion.wishes[party] = w
	}
	return errs
}

// ended remembers a busy number for its caller.
func (x *Exchange) ended(r tel.CallEnded) {
	if r.Cause != tel.CauseBusy || !strings.HasPrefix(r.In, "phone:") {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.completion.busy[r.In] = r.To
}

// grant calls those back whose wish can be fulfilled now. It runs a moment after a phone has become
// free.
func (x *Exchange) grant() {
	type one struct {
		device tel.DeviceID
		number tel.Number
	}
	var now []one
	x.mu.Lock()
	inCall := map[string]bool{}
	for _, p := range x.places {
		inCall[p.party] = inCall[p.party] || !p.leaves
	}
	for party, w := range x.completion.wishes {
		device, _ := strings.CutPrefix(party, "phone:")
		busy := inCall[party]
		for _, d := range w.Devices {
			busy = busy || inCall["phone:"+string(d)]
		}
		switch {
		case time.Now().After(w.Until):
			delete(x.completion.wishes, party)
			x.keepWish(party)
		case !busy && !x.closed:
			delete(x.completion.wishes, party)
			x.keepWish(party)
			now = append(now, one{tel.DeviceID(device), w.Number})
		}
	}
	x.mu.Unlock()
	for _, o := range now {
		x.callBack(o.device, o.number)
	}
}

// callBack rings the phone of who wished; who answers there calls the number with the rights of that
// phone.
func (x *Exchange) callBack(device tel.DeviceID, number tel.Number) {
	a := x.summoning(tel.NewCallID(), x.cfg.Plan(), Summons{Devices: []tel.DeviceID{device}, Number: number}, device)
	if c := x.summon(a); c != tel.CauseNone {
		x.cfg.Log.Warn("nobody is called back", "device", device, "cause", c)
	}
}
