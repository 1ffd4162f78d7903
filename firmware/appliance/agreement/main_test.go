package agreement

import (
	"testing"
	_ "time/tzdata" // prompts say times by the site's clock, also on a machine without zone files

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
