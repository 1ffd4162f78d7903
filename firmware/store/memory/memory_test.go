package memory

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Records { return &Store{} })
}
