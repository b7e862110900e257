// A CloudFront function for viewer requests: asks the bucket that `feedwright publish` fills for the form that the
// client takes. The distribution must not compress by itself.
function handler(event) {
  var request = event.request;
  var takes = request.headers['accept-encoding'] ? request.headers['accept-encoding'].value : '';
  var uri = request.uri.replace(/\/$/, '/index.html');
  var hasBr = /^\/(sections\/[^\/]+\/)?feed\.(rss|atom|json)$/.test(uri);
  var hasGz = !/^\/media\/|\.ico$/.test(uri);
  function wants(coding) {
    return new RegExp('(^|,)\\s*' + coding + '\\s*($|,|;\\s*q=(1|0\\.0*[1-9]))', 'i').test(takes);
  }
  request.uri = uri + (hasBr && wants('br') ? '.br' : hasGz && wants('gzip') ? '.gz' : '');
  return request;
}
