// Work that outlives the connection that it was begun for. In Pipy the
// callbacks of promises go with the pipeline that asked for them, and pipelines
// that one has made do nothing after it.

var jobs = []
var wake = null

function rest() {
  new Promise(resolve => { wake = resolve }).then(() => {
    var now = jobs
    jobs = []
    rest()
    now.forEach(job => job())
  })
}

rest()

// background has the job run soon, for no caller in particular.
export default function (job) {
  jobs.push(job)
  wake(true)
}
