package vault

import (
	"encoding/json"
	"errors"

	"github.com/hashicorp/vault/api"
)

// ErrLimited is that a token may be used a number of times only, which a mesh
// cannot: each certificate takes a use.
var ErrLimited = errors.New("the token for vault is limited to a number of uses (num_uses), and each certificate takes one: give a token without that limit, such as of vault token create -orphan -period=24h")

// unlimited refuses a token that may be used a number of times only.
func unlimited(self *api.Secret) error {
	if number(self, "num_uses") != 0 {
		return ErrLimited
	}
	return nil
}

// number returns a field of an answer; 0 if it has none.
func number(answer *api.Secret, field string) int64 {
	value, ok := answer.Data[field].(json.Number)
	if !ok {
		return 0
	}
	n, err := value.Int64()
	if err != nil {
		return 0
	}
	return n
}
