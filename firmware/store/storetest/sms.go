package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Text makes the n-th record of a short message: one per minute, received and sent in turn.
func Text(n int) store.SMS {
	x := store.SMS{Pos: store.Position(1000 + n), SMS: tel.SMS{
		ID: tel.SMSID(fmt.Sprintf("s%04d", n)), Line: "line:gsm0", From: "TIM", Text: fmt.Sprint("testo ", n), State: tel.SMSIn, Parts: 1,
		At: Day.Add(time.Duration(n) * time.Minute),
	}}
	if n%2 == 1 {
		x.From, x.To, x.State = "", "+393331234567", tel.SMSOut
	}
	return x
}

func texts(t *testing.T, s store.Records) {
	var all []store.SMS
	for i := range 5 {
		all = append(all, Text(i))
	}
	delivered := Text(1)
	delivered.State, delivered.Pos, delivered.At = tel.SMSArrived, 2000, Day.Add(time.Hour)
	again := Text(2)
	again.Pos = 3000 // a crash wrote it a second time
	must(t, s.PutTexts(t.Context(), append(all, delivered, again)...))
	for name, tt := range map[string]struct {
		q    store.TextQuery
		want []string
	}{
		"newest first":    {store.TextQuery{}, []string{"s0001/delivered", "s0004/received", "s0003/sent", "s0002/received", "s0001/sent", "s0000/received"}},
		"of a state":      {store.TextQuery{State: tel.SMSOut}, []string{"s0003/sent", "s0001/sent"}},
		"of a party":      {store.TextQuery{Party: "TIM"}, []string{"s0004/received", "s0002/received", "s0000/received"}},
		"of another line": {store.TextQuery{Line: "line:gsm1"}, nil},
		"of a time":       {store.TextQuery{Span: store.Span{From: Day.Add(4 * time.Minute), To: Day.Add(time.Hour)}}, []string{"s0004/received"}},
		"of one page":     {store.TextQuery{Span: store.Span{Limit: 1}}, []string{"s0001/delivered"}},
	} {
		page, err := s.ListTexts(t.Context(), tt.q)
		must(t, err)
		var got []string
		for _, x := range page.Items {
			got = append(got, x.Identity())
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		n, err := s.CountTexts(t.Context(), tt.q)
		must(t, err)
		if n != len(tt.want) && tt.q.Limit == 0 {
			t.Errorf("%s: counted %d", name, n)
		}
	}
	if _, err := s.ListTexts(t.Context(), store.TextQuery{Span: store.Span{Limit: -1}}); !errors.Is(err, store.ErrQuery) {
		t.Errorf("a senseless limit: %v", err)
	}
}
