package web

import (
	"context"
	"net/http"
	"time"
)

// exportQueueLog sends what happened in all queues in the days of a report as Asterisk's queue_log says it. Agents are
// told apart where a legal basis allows it today.
func (s *server) exportQueueLog(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	a := s.reported(v)
	if len(a.Wrong) > 0 { // a table has no room to say so
		s.refuse(w, v, http.StatusBadRequest, a.Wrong[0].Sentence)
		return
	}
	if a.Limited { // the file is of all queues
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
		return
	}
	anonymous := s.Settings.Current().Supervision.LegalBasis.Holds(time.Now().In(a.zone)) != ""
	log, err := s.Reruns.Log(ctx, a.query.From, a.query.To, anonymous)
	if err != nil {
		s.Log.Warn("the journal cannot be read", "err", err)
		s.refuse(w, v, http.StatusServiceUnavailable, "records.away")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="queue_log"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(log)
}
