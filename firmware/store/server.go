package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// maxClients bounds the connections served at the same time.
const maxClients = 16

// Times that a peer gets.
const (
	answerTime = 30 * time.Second // for the store to answer
	writeTime  = 10 * time.Second // for the peer to take a reply
	idleTime   = 10 * time.Minute // for the peer to ask again
)

// Serve answers requests on l from records until ctx ends; then it closes l and every connection
// and waits for their goroutines. Nothing that a peer sends ends it.
func Serve(ctx context.Context, l net.Listener, records Records, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	room := make(chan struct{}, maxClients)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve records: %w", err)
		}
		if err != nil {
			log.Warn("record socket does not accept", "error", err)
			select { // e.g. out of descriptors: give others time to close theirs
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			log.Warn("record socket has too many clients, refusing one", "limit", maxClients)
			_ = conn.Close()
			continue
		}
		all.Go(func() {
			defer func() { <-room }()
			serveConn(ctx, conn, records, log)
		})
	}
}

func serveConn(ctx context.Context, conn net.Conn, records Records, log *slog.Logger) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("record request panicked", "panic", v)
		}
		_ = conn.Close()
	}()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	r := bufio.NewReader(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(idleTime))
		var req request
		if err := readFrame(r, &req, maxRequest); err != nil {
			return // gone, or not speaking our language: there is nobody to answer
		}
		_ = conn.SetWriteDeadline(time.Now().Add(answerTime + writeTime))
		rep := answer(ctx, req, records)
		err := writeFrame(conn, rep, maxReply)
		if errors.Is(err, ErrTooLarge) {
			err = writeFrame(conn, reply{V: protocolVersion, ID: req.ID, Code: codeTooLarge, Text: "ask for fewer records"}, maxReply)
		}
		if err != nil {
			return
		}
	}
}

// answer runs one request.
func answer(ctx context.Context, req request, records Records) reply {
	rep := reply{V: protocolVersion, ID: req.ID}
	if req.V != protocolVersion {
		rep.Code, rep.Text = codeVersion, fmt.Sprintf("request has version %d, this keeper speaks %d", req.V, protocolVersion)
		return rep
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	result, err := dispatch(ctx, req, records)
	if err == nil && result != nil {
		rep.Body, err = json.Marshal(result)
	}
	if err != nil {
		rep.Code, rep.Text = codeOf(err), err.Error()
	}
	return rep
}

func dispatch(ctx context.Context, req request, records Records) (any, error) {
	switch req.Op {
	case opPutCalls:
		return with(req, func(calls []Call) (any, error) { return nil, records.PutCalls(ctx, calls...) })
	case opListCalls:
		return with(req, func(q CallQuery) (any, error) { return records.ListCalls(ctx, q) })
	case opCountCalls:
		return with(req, func(q CallQuery) (any, error) { return records.CountCalls(ctx, q) })
	case opPutWaits:
		return with(req, func(waits []Wait) (any, error) { return nil, records.PutWaits(ctx, waits...) })
	case opListWaits:
		return with(req, func(q WaitQuery) (any, error) { return records.ListWaits(ctx, q) })
	case opCountWaits:
		return with(req, func(q WaitQuery) (any, error) { return records.CountWaits(ctx, q) })
	case opPutTexts:
		return with(req, func(texts []SMS) (any, error) { return nil, records.PutTexts(ctx, texts...) })
	case opListTexts:
		return with(req, func(q TextQuery) (any, error) { return records.ListTexts(ctx, q) })
	case opCountTexts:
		return with(req, func(q TextQuery) (any, error) { return records.CountTexts(ctx, q) })
	case opPutCallbacks:
		return with(req, func(callbacks []Callback) (any, error) { return nil, records.PutCallbacks(ctx, callbacks...) })
	case opListCallbacks:
		return with(req, func(q CallbackQuery) (any, error) { return records.ListCallbacks(ctx, q) })
	case opCountCallbacks:
		return with(req, func(q CallbackQuery) (any, error) { return records.CountCallbacks(ctx, q) })
	case opPutMissed:
		return with(req, func(rows []Missed) (any, error) { return nil, records.PutMissed(ctx, rows...) })
	case opListMissed:
		return with(req, func(q MissedQuery) (any, error) { return records.ListMissed(ctx, q) })
	case opCountMissed:
		return with(req, func(q MissedQuery) (any, error) { return records.CountMissed(ctx, q) })
	case opPutIntervals:
		return with(req, func(intervals []Interval) (any, error) { return nil, records.PutIntervals(ctx, intervals...) })
	case opListIntervals:
		return with(req, func(q IntervalQuery) (any, error) { return records.ListIntervals(ctx, q) })
	case opTraffic:
		return with(req, func(q ReportQuery) (any, error) { return records.Traffic(ctx, q) })
	case opWork:
		return with(req, func(q ReportQuery) (any, error) { return records.Work(ctx, q) })
	case opLineCalls:
		return with(req, func(q ReportQuery) (any, error) { return records.LineCalls(ctx, q) })
	case opPutDispositions:
		return with(req, func(all []Disposition) (any, error) { return nil, records.PutDispositions(ctx, all...) })
	case opListDispositions:
		return with(req, func(q DispositionQuery) (any, error) { return records.ListDispositions(ctx, q) })
	case opDispositionSums:
		return with(req, func(q ReportQuery) (any, error) { return records.DispositionSums(ctx, q) })
	case opStatus:
		return records.Status(ctx)
	default:
		return nil, fmt.Errorf("%w: unknown request %q", ErrQuery, req.Op)
	}
}

// with decodes a request's body for do.
func with[Q any](req request, do func(Q) (any, error)) (any, error) {
	var q Q
	if err := json.Unmarshal(req.Body, &q); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	return do(q)
}
