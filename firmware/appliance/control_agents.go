package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// agentCommands are what prontoctl can ask about agents: GET /queues is the picture of queues and agents,
// POST /agents/ID/COMMAND gives a command, with the reason of a pause or the queue of a command about one
// in the form, POST /waiting/CALL/move moves a caller, POST
// /buttons/LAMP/press presses a simulated button. Commands are carried out as by a supervisor.
func (b *Box) agentCommands(mux *http.ServeMux) {
	b.explain(mux)
	mux.HandleFunc("GET /queues", func(w http.ResponseWriter, r *http.Request) {
		v, err := b.queues.Snapshot(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // who hung up needs no answer
	})
	mux.HandleFunc("POST /agents/{agent}/{command}", func(w http.ResponseWriter, r *http.Request) {
		agent, command := tel.AgentID(r.PathValue("agent")), r.PathValue("command")
		respond(w, b.force(r.Context(), console, agent, command, r.FormValue("with")))
	})
	mux.HandleFunc("POST /buttons/{lamp}/press", func(w http.ResponseWriter, r *http.Request) {
		if !b.lamps.press(tel.LampID(r.PathValue("lamp"))) {
			http.Error(w, "there is no simulated button at this lamp", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /waiting/{call}/move", func(w http.ResponseWriter, r *http.Request) {
		respond(w, b.queues.Move(r.Context(), tel.CallID(r.PathValue("call")), tel.QueueID(r.FormValue("with")), console))
	})
}

// respond says how a command went, in words where it did not.
func respond(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, plan.ErrUnknownAgent), errors.Is(err, plan.ErrUnknownQueue), errors.Is(err, plan.ErrNoCaller), errors.Is(err, errCommand):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, acd.ErrClosed):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// console is who gives commands by prontoctl.
const console = "prontoctl"

// force carries out a command of somebody else than the agent, who is named by by. With is the reason of a pause, the
// queue of a command about one, the call of an assignment.
func (b *Box) force(ctx context.Context, by string, agent tel.AgentID, command, with string) error {
	switch command {
	case string(dialplan.Pause):
		return b.queues.ForcePause(ctx, agent, with, by)
	case string(dialplan.Logout):
		return b.queues.ForceLogout(ctx, agent, by)
	case "add":
		return b.queues.AddMember(ctx, agent, tel.QueueID(with), by)
	case "remove":
		return b.queues.RemoveMember(ctx, agent, tel.QueueID(with), by)
	case "serve":
		var queues []tel.QueueID
		for id := range strings.FieldsSeq(strings.ReplaceAll(with, ",", " ")) {
			queues = append(queues, tel.QueueID(id))
		}
		return b.queues.Serve(ctx, agent, queues...)
	case "assign":
		return b.queues.Assign(ctx, tel.CallID(with), agent, by)
	case string(dialplan.Login), string(dialplan.Resume), string(dialplan.FinishWrapUp), string(dialplan.ExtendWrapUp),
		string(dialplan.Help), string(dialplan.HelpDone), string(dialplan.EnterQueue), string(dialplan.LeaveQueue), string(dialplan.Dispose):
		return b.obey(ctx, agent, command, with)
	default:
		return errCommand
	}
}
