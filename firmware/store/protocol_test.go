package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/report"
)

// deaf implements Records without keeping anything.
type deaf struct{}

func (deaf) PutCalls(context.Context, ...Call) error { return nil }
func (deaf) ListCalls(_ context.Context, q CallQuery) (Page[Call], error) {
	_, _, _, err := q.Bounds()
	return Page[Call]{}, err
}
func (deaf) CountCalls(context.Context, CallQuery) (int, error) { return 0, nil }
func (deaf) PutWaits(context.Context, ...Wait) error            { return nil }
func (deaf) ListWaits(_ context.Context, q WaitQuery) (Page[Wait], error) {
	_, _, _, err := q.Bounds()
	return Page[Wait]{}, err
}
func (deaf) PutTexts(context.Context, ...SMS) error { return nil }
func (deaf) ListTexts(_ context.Context, q TextQuery) (Page[SMS], error) {
	_, _, _, err := q.Bounds()
	return Page[SMS]{}, err
}
func (deaf) CountTexts(context.Context, TextQuery) (int, error) { return 0, nil }
func (deaf) CountWaits(context.Context, WaitQuery) (int, error) { return 0, nil }
func (deaf) PutCallbacks(context.Context, ...Callback) error    { return nil }
func (deaf) ListCallbacks(_ context.Context, q CallbackQuery) (Page[Callback], error) {
	_, _, _, err := q.Bounds()
	return Page[Callback]{}, err
}
func (deaf) CountCallbacks(context.Context, CallbackQuery) (int, error) { return 0, nil }
func (deaf) PutMissed(context.Context, ...Missed) error                 { return nil }
func (deaf) ListMissed(_ context.Context, q MissedQuery) (Page[Missed], error) {
	_, _, _, err := q.Bounds()
	return Page[Missed]{}, err
}
func (deaf) CountMissed(context.Context, MissedQuery) (int, error) { return 0, nil }
func (deaf) PutIntervals(context.Context, ...Interval) error       { return nil }
func (deaf) ListIntervals(_ context.Context, q IntervalQuery) (Page[Interval], error) {
	_, _, _, err := q.Bounds()
	return Page[Interval]{}, err
}

func (deaf) Traffic(_ context.Context, q ReportQuery) ([]report.TrafficRow, error) {
	_, err := q.Location()
	return nil, err
}

func (deaf) PutDispositions(context.Context, ...Disposition) error { return nil }
func (deaf) ListDispositions(_ context.Context, q DispositionQuery) (Page[Disposition], error) {
	_, _, _, err := q.Bounds()
	return Page[Disposition]{}, err
}

func (deaf) DispositionSums(_ context.Context, q ReportQuery) ([]report.DispositionRow, error) {
	_, err := q.Location()
	return nil, err
}

func (deaf) LineCalls(_ context.Context, q ReportQuery) ([]report.LineRow, error) {
	_, err := q.Location()
	return nil, err
}

func (deaf) Work(_ context.Context, q ReportQuery) ([]report.WorkRow, error) {
	_, err := q.Location()
	return nil, err
}
func (deaf) Status(context.Context) (Status, error) { return Status{}, nil }

func FuzzRequest(f *testing.F) {
	seed := func(v any) {
		var b bytes.Buffer
		if err := writeFrame(&b, v, maxRequest); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	seed(request{V: 1, ID: 1, Op: opListCalls, Body: json.RawMessage(`{"limit":5,"cursor":"AAAAAAAAAAAAAAAAAAAAAAAA","answered":true}`)})
	seed(request{V: 1, ID: 2, Op: opPutWaits, Body: json.RawMessage(`[{"pos":1,"call":"c1","outcome":"answered"}]`)})
	seed(request{V: 2, ID: 3, Op: opStatus})
	seed(request{V: 1, ID: 4, Op: opPutCallbacks, Body: json.RawMessage(`[{"pos":1,"callback":"cb1","state":"ended","asked":"2026-01-01T00:00:00Z"}]`)})
	seed(request{V: 1, ID: 5, Op: opListMissed, Body: json.RawMessage(`{"limit":5,"open":true}`)})
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			var req request
			if readFrame(r, &req, maxRequest) != nil {
				return
			}
			rep := answer(t.Context(), req, deaf{})
			if rep.ID != req.ID || rep.V != protocolVersion || (req.V != protocolVersion) != (rep.Code == codeVersion) {
				t.Fatalf("request %+v answered by %+v", req, rep)
			}
			var out bytes.Buffer
			if err := writeFrame(&out, rep, maxReply); err != nil {
				t.Fatalf("reply cannot be sent: %v", err)
			}
		}
	})
}
