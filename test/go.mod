// Tests that need more than the product's module: other processes, other servers, more dependencies.
module github.com/sluicestream/sluice/test

go 1.26.0

require (
	go.mongodb.org/mongo-driver/v2 v2.10.0
	go.uber.org/goleak v1.3.0
)
