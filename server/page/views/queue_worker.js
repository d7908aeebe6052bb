// The worker that opens records, so that the page stays quick. It ends, keys and all, when its view is taken down.

import { serve } from "../queue/port.js";

serve(self);
