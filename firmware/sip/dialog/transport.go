package dialog

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Transport is what dialogs need of the layer below; OnStack makes one of a *stack.Stack. What the
// methods promise stands there; what Run has accepted is run even while the stack closes.
type Transport interface {
	Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (ClientTx, error)
	Invite(req *sip.Request, to stack.Flow, leaves func(*sip.Request), sink func(stack.Result)) (ClientTx, error)
	Send(msg sip.Message, to stack.Flow) error
	Run(callID string, fn func()) bool
	After(callID string, d time.Duration, fn func()) (stop func())
	Resolve(ctx context.Context, uri sip.Uri, transport string) (stack.Flow, error)
	Contact(f stack.Flow) (host string, port int)
	Alive(f stack.Flow) bool
	RestoreServerTx(req *sip.Request, flow stack.Flow, last *sip.Response) (ServerTx, error)
	RestoreClientTx(req *sip.Request, flow stack.Flow, sink func(stack.Result)) (ClientTx, error)
}

// ServerTx is a request that waits for our response; *stack.ServerTx is one.
type ServerTx interface {
	Request() *sip.Request
	Flow() stack.Flow
	Respond(*sip.Response) error
	OnCancel(func(cancel *sip.Request))
}

// ClientTx is a request of ours that waits for its response; *stack.ClientTx is one.
type ClientTx interface {
	Cancel(h ...sip.Header) error
}

// HotJournal keeps the last value of each key over a kill -9; nil means that nothing is kept.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// JournalKind is the kind under which dialogs stand in the hot journal.
const JournalKind = "dialog"

// OnStack lets dialogs run on s.
func OnStack(s *stack.Stack) Transport { return onStack{s} }

// onStack gives the stack's transactions as interfaces, so that tests can do without sockets.
type onStack struct{ *stack.Stack }

func (o onStack) Request(req *sip.Request, to stack.Flow, sink func(stack.Result)) (ClientTx, error) {
	return asClient(o.Stack.Request(req, to, sink))
}

func (o onStack) Invite(req *sip.Request, to stack.Flow, leaves func(*sip.Request), sink func(stack.Result)) (ClientTx, error) {
	return asClient(o.Stack.Invite(req, to, leaves, sink))
}

func (o onStack) RestoreClientTx(req *sip.Request, flow stack.Flow, sink func(stack.Result)) (ClientTx, error) {
	return asClient(o.Stack.RestoreClientTx(req, flow, sink))
}

// asClient keeps a nil transaction from becoming an interface that is not nil.
func asClient(tx *stack.ClientTx, err error) (ClientTx, error) {
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (o onStack) RestoreServerTx(req *sip.Request, flow stack.Flow, last *sip.Response) (ServerTx, error) {
	tx, err := o.Stack.RestoreServerTx(req, flow, last)
	if err != nil {
		return nil, err
	}
	return tx, nil
}
