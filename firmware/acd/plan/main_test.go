package plan

import (
	"testing"
	_ "time/tzdata" // days begin by the site's clock, also on a machine without zone files

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
