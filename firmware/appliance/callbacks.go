package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// callbacks are the callers who are owed a call, in order of queue and place.
func (b *Box) callbacks(ctx context.Context) (all []page.Callback, err error) {
	f, err := b.floor(ctx)
	if err != nil {
		return nil, err
	}
	zone := b.location()
	for _, q := range f.Queues {
		for _, c := range q.Callbacks {
			x := page.Callback{
				ID: c.ID, Queue: q.ID, QueueName: f.queues[q.ID], State: tel.CallbackWaiting, Number: c.Number, Name: c.Name, Since: c.Since,
				Place: c.Place, Of: c.Of, Attempts: c.Attempts, Next: within(c.Next, zone), Promise: within(c.Promise, zone), Closed: q.Closed,
			}
			switch {
			case c.Agent != "":
				x.State, x.Agent = tel.CallbackDialing, f.person(c.Agent).Name
			case !c.Next.IsZero():
				x.State = tel.CallbackResting
			}
			all = append(all, x)
		}
	}
	return all, nil
}

// within is a moment by the clock on the wall of the office; no moment stays none.
func within(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

// dropCallback takes a callback off the list and writes down who did so. Errors: plan.ErrUnknownCallback.
func (b *Box) dropCallback(ctx context.Context, id tel.CallbackID, by, from string) error {
	if err := b.queues.DropCallback(ctx, id); err != nil {
		return err
	}
	b.noteAccess(access.Note{At: time.Now(), What: access.DeedCallbackDropped, User: by, Whom: string(id), From: from})
	return nil
}

// callbackCommands are what prontoctl can ask about callers who are owed a call: GET /callbacks lists them,
// DELETE /callbacks/ID takes one off the list.
func (b *Box) callbackCommands(mux *http.ServeMux) {
	mux.HandleFunc("GET /callbacks", func(w http.ResponseWriter, r *http.Request) {
		all, err := b.callbacks(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(all) // who hung up needs no answer
	})
	mux.HandleFunc("DELETE /callbacks/{id}", func(w http.ResponseWriter, r *http.Request) {
		err := b.dropCallback(r.Context(), tel.CallbackID(r.PathValue("id")), console, "")
		if errors.Is(err, plan.ErrUnknownCallback) {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		respond(w, err)
	})
}
