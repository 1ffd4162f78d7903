package stack

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Errors that callers decide on.
var (
	ErrTimeout   = errors.New("the other side did not answer in time")
	ErrTransport = errors.New("the message could not be sent")
	ErrClosed    = errors.New("the SIP stack is closed")
	ErrDone      = errors.New("the transaction is over")
)

// Flow names the path of a message.
type Flow struct {
	Transport string         `json:"transport"` // "udp" or "tcp"
	Local     netip.AddrPort `json:"local"`
	Remote    netip.AddrPort `json:"remote"`
}

// SocketKeeper keeps sockets in the supervisor while this process restarts.
type SocketKeeper interface {
	Take(name string) (*os.File, bool)
	Keep(name string, s syscall.Conn) error
	Drop(name string)
}

// Config is what a Stack needs.
type Config struct {
	Log             *slog.Logger
	Filter          func(src netip.AddrPort, head []byte) bool
	Shards          int
	MaxTransactions int
	Keeper          SocketKeeper
	UserAgent       string
}

// Handler receives what belongs to no open transaction.
type Handler interface {
	Request(tx *ServerTx)
	Ack(req *sip.Request, flow Flow)
	StrayResponse(res *sip.Response, flow Flow)
}

// Result is one response to a request, or the error that ended it.
type Result struct {
	Response *sip.Response
	Err      error
}

// Stack is the SIP transport and transaction layer.
type Stack struct{}

// ServerTx is a transaction that the other side began.
type ServerTx struct{}

// ClientTx is a transaction that we began.
type ClientTx struct{}

func New(Config) (*Stack, error)                           { return &Stack{}, nil }
func (*Stack) ListenUDP(netip.AddrPort) error              { return ErrClosed }
func (*Stack) ListenTCP(netip.AddrPort) error              { return ErrClosed }
func (*Stack) Addresses(transport string) []netip.AddrPort { return nil }
func (*Stack) Serve(Handler)                               {}
func (*Stack) Close() error                                { return nil }
func (*Stack) Request(req *sip.Request, to Flow, sink func(Result)) (*ClientTx, error) {
	return nil, ErrClosed
}
func (*Stack) Send(msg sip.Message, to Flow) error                           { return ErrClosed }
func (*Stack) Run(callID string, fn func()) bool                             { return false }
func (*Stack) After(callID string, d time.Duration, fn func()) (stop func()) { return func() {} }
func (*Stack) Resolve(ctx context.Context, uri sip.Uri, transport string) (Flow, error) {
	return Flow{}, ErrClosed
}
func (*Stack) Contact(f Flow) (host string, port int) { return "", 0 }
func (*Stack) Alive(f Flow) bool                      { return false }

func (*Stack) RestoreServerTx(req *sip.Request, flow Flow, last *sip.Response) (*ServerTx, error) {
	return nil, ErrClosed
}

func (*Stack) RestoreClientTx(req *sip.Request, flow Flow, sink func(Result)) (*ClientTx, error) {
	return nil, ErrClosed
}

func (*ServerTx) Request() *sip.Request              { return nil }
func (*ServerTx) Flow() Flow                         { return Flow{} }
func (*ServerTx) Respond(*sip.Response) error        { return ErrClosed }
func (*ServerTx) OnCancel(func(cancel *sip.Request)) {}
func (*ServerTx) Done() bool                         { return true }

func (*ClientTx) Request() *sip.Request        { return nil }
func (*ClientTx) Cancel(h ...sip.Header) error { return ErrClosed }
