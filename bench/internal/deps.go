package internal
import (
 _ "github.com/HdrHistogram/hdrhistogram-go"
 _ "github.com/valyala/fasthttp"
 _ "github.com/cloudwego/hertz/pkg/app/server"
 _ "github.com/go-chi/chi/v5"
 _ "github.com/labstack/echo/v4"
 _ "github.com/gin-gonic/gin"
 _ "github.com/recycling-go/recycling/adapters/chi"
 _ "github.com/recycling-go/recycling/adapters/echo"
 _ "github.com/recycling-go/recycling/adapters/gin"
)
