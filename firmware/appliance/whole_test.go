package appliance

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record"
)

func TestACheckSaysWhatItFoundAndRunsAgainForWhoAsksMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w, over := newWholeness(), make(chan struct{})
		type verdict struct {
			rep record.Report
			err error
		}
		verdicts := make(chan verdict)
		var told []bool
		go func() {
			defer close(over)
			w.run(ctx, func(ctx context.Context) (record.Report, error) {
				select {
				case v := <-verdicts:
					return v.rep, v.err
				case <-ctx.Done():
					return record.Report{}, ctx.Err()
				}
			}, func(ok bool, _ string) { told = append(told, ok) })
		}()
		if f := w.found(); f.Running || !f.At.IsZero() {
			t.Errorf("before anybody has asked: %+v", f)
		}
		w.ask()
		synctest.Wait()
		if !w.found().Running {
			t.Error("it does not run")
		}
		w.ask() // again, while it runs
		w.ask()
		verdicts <- verdict{rep: record.Report{Files: 2, Wrong: []string{"recording a: the file was changed"}}}
		synctest.Wait()
		if f := w.found(); !f.Running || len(f.Wrong) != 1 || f.At != time.Now() {
			t.Errorf("who asked meanwhile is not served: %+v", f)
		}
		verdicts <- verdict{rep: record.Report{Files: 2, Running: 1}}
		synctest.Wait()
		if f := w.found(); f.Running || len(f.Wrong) != 0 || f.Files != 2 || f.Open != 1 {
			t.Errorf("%+v", f)
		}
		w.ask()
		verdicts <- verdict{err: errors.New("the disk refuses")}
		synctest.Wait()
		if f := w.found(); f.Running || f.Failed != "the disk refuses" {
			t.Errorf("%+v", f)
		}
		if len(told) != 3 || told[0] || !told[1] || told[2] {
			t.Errorf("told %v", told)
		}
		w.ask()
		synctest.Wait()
		cancel() // the box ends in the middle of a check
		<-over
	})
}
