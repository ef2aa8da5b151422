package child

var ServeOn = serve
