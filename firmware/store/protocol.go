package store

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The protocol on the unix socket: frames of a 4-byte big-endian length and JSON, one request at a
// time in each connection, each answered by one reply with its number.

// protocolVersion is raised when an old peer would misunderstand a new one.
const protocolVersion = 1

// Limits of one frame in bytes.
const (
	maxRequest = 1 << 20
	maxReply   = 4 << 20
)

// op names one method of Records.
type op string

const (
	opPutCalls       op = "calls.put"
	opListCalls      op = "calls.list"
	opCountCalls     op = "calls.count"
	opPutWaits       op = "waits.put"
	opListWaits      op = "waits.list"
	opCountWaits     op = "waits.count"
	opPutTexts       op = "texts.put"
	opListTexts      op = "texts.list"
	opCountTexts     op = "texts.count"
	opPutCallbacks   op = "callbacks.put"
	opListCallbacks  op = "callbacks.list"
	opCountCallbacks op = "callbacks.count"
	opPutMissed      op = "missed.put"
	opListMissed     op = "missed.list"
	opCountMissed    op = "missed.count"
	opPutIntervals   op = "intervals.put"
	opListIntervals  op = "intervals.list"
	opTraffic        op = "report.traffic"
	opWork           op = "report.work"
	opLineCalls      op = "report.lines"

	opPutDispositions  op = "dispositions.put"
	opListDispositions op = "dispositions.list"
	opDispositionSums  op = "report.dispositions"
	opStatus           op = "status"
)

type request struct {
	V    int             `json:"v"`
	ID   uint64          `json:"id"`
	Op   op              `json:"op"`
	Body json.RawMessage `json:"body,omitempty"`
}

type reply struct {
	V    int             `json:"v"`
	ID   uint64          `json:"id"`
	Code code            `json:"code,omitempty"` // empty: it worked
	Text string          `json:"text,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
}

// code is an error as it crosses the socket.
type code string

const (
	codeQuery       code = "bad_query"
	codeUnavailable code = "unavailable"
	codeFull        code = "full"
	codeTooLarge    code = "too_large"
	codeVersion     code = "version"
	codeInternal    code = "internal"
)

func codeOf(err error) code {
	switch {
	case errors.Is(err, ErrQuery):
		return codeQuery
	case errors.Is(err, ErrFull):
		return codeFull
	case errors.Is(err, ErrTooLarge):
		return codeTooLarge
	case errors.Is(err, ErrUnavailable):
		return codeUnavailable
	default:
		return codeInternal
	}
}

// err turns a reply's code back into the error that the other side had.
func (r reply) err() error {
	var kind error
	switch r.Code {
	case "":
		return nil
	case codeQuery:
		kind = ErrQuery
	case codeFull:
		kind = ErrFull
	case codeTooLarge:
		kind = ErrTooLarge
	default:
		kind = ErrUnavailable
	}
	return fmt.Errorf("%w (%s)", kind, r.Text)
}

// writeFrame sends one value; ErrTooLarge, before anything is sent, when it exceeds limit.
func writeFrame(w io.Writer, v any, limit int) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(body) > limit {
		return ErrTooLarge
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame reads one value. It never allocates more than what has arrived, doubled.
func readFrame(r *bufio.Reader, v any, limit int) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if int64(n) > int64(limit) {
		return ErrTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(body) < int(n) {
		return io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	return nil
}
